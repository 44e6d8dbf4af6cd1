"""A closed mesh and posed views come in, the mesh with an atlas and a baked texture goes out."""
