"""Two pictures come in, their distance in the features of a network that was trained on ImageNet goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "available": ["Weights", "feature_distances"],
        "common": ["FeatureDistance", "as_batch", "read_weights"],
    },
)
