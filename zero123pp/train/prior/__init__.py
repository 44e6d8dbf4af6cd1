"""Training of the shape prior on rendered passes over meshes (``run.py render shapes``)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["export_prior"],
        "train": ["PriorTrainConfig", "train"],
    },
)
