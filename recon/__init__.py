"""Posed views to a mesh, its texture and a file. Knows no diffusion model and no pipeline."""
