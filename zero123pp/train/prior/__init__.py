"""Training of the shape prior on rendered passes over meshes (``run.py render shapes``)."""
