"""A random generator comes in, a closed, painted object to train on goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"generator": ["KINDS", "object_of", "random_object"], "made": ["Made"]}
)
