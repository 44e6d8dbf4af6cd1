"""The learned shape prior: what objects look like where the views do not tell."""
