"""Training samples out of meshes: light, shading, cameras, and the files that they are kept in.

Knows no rasteriser and no mesh file; `zero123pp.pipelines.training_data.multiview` brings these.
"""
