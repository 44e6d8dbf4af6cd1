"""Meshes come in, views with signed distances to train the shape prior on go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "render_pass": ["render_pass", "write_pass"],
    },
)
