"""Posed views that contradict each other come in, views whose silhouettes agree go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "align_views": ["AlignConfig", "align_views", "may_align"],
        "silhouettes": ["inconsistency_px"],
        "warp": ["warped"],
    },
)
