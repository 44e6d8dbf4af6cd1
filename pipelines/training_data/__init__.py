"""Meshes come in, rendered samples to train networks on go out."""
