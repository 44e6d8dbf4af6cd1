"""A closed surface comes in, a solid that a printer can make goes out: thick enough everywhere, on a flat base."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "solid": ["Printed", "check_wall", "printable"],
        "walls": ["Walls", "measured"],
    },
)
