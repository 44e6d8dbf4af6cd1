"""Layers of the diffusion networks for processors: attention, feed-forward and convolution as compiled kernels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["winograd"],
    submod_attrs={
        "attention": ["attend"],
        "feed_forward": ["BlockedFeedForward", "has_blocks"],
        "processor": ["has_bfloat16"],
    },
)
