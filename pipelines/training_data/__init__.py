"""Meshes come in, rendered samples to train networks on go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cutouts": ["picture_counts", "render_pictures"],
        "solids": ["solid_of"],
    },
)
