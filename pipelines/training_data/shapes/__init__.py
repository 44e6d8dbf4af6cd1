"""Meshes come in, views with signed distances to train the shape prior on go out."""
