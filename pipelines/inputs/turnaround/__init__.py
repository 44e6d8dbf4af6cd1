"""Drawn turnarounds come in (figures on one sheet, or a picture each), posed views of the object go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["sides"],
    submod_attrs={
        "sides": ["TURNAROUNDS", "ordered"],
        "views": ["camera_at", "turnaround_views"],
    },
)
