"""Meshes and environment maps come in, training samples of Zero123++ go out: a query and the six views of a rig."""
