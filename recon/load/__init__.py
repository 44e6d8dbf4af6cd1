"""A mesh file of any tool comes in, its parts as records of this project go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"parts": ["load_parts"]})
