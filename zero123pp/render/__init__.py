"""Training samples out of meshes: light, shading, cameras, and the files that they are kept in.

Knows no rasteriser and no mesh file; `zero123pp.pipelines.training_data.multiview` brings these.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cameras": ["Query", "cropped", "draw_query", "in_query_frame", "query_camera", "ring_cameras", "sheet_views"],
        "draw": ["PassDraw", "ViewsConfig", "draw_pass"],
        "environment": ["Environment", "shrunk"],
        "hdr": ["find_hdr", "read_hdr"],
        "instantmesh": ["PICTURES", "write_paths", "write_views"],
        "layers": ["Hits", "RayLayers", "first_hits", "ray_layers"],
        "light": ["Points", "Scene", "smoothed_light"],
        "point_kernels": ["seen_points"],
        "ray_tables": ["pixel_phases"],
        "sample": ["DEPTH_UNIT", "ViewSample", "encode_normals"],
        "shards": ["SampleFolder", "UNGROUPED", "index_of", "open_samples", "write_shard"],
    },
)
