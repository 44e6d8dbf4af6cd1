"""A field comes in, a closed, clean, simplified triangle mesh goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["topology"],
    submod_attrs={
        "clean": ["CleanConfig", "clean", "facts"],
        "extract": ["ExtractConfig", "extract"],
        "normals": ["face_normals", "smooth_normals"],
        "parts": ["FILL", "geometry", "join", "load_normalised", "normalise"],
        "slivers": ["degenerate_faces"],
        "topology": ["face_areas", "is_sound", "is_watertight", "welded"],
    },
)
