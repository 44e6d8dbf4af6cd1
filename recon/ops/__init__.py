"""Arrays come in, arrays and their derivatives go out: operations in families of interchangeable back-ends."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkup": ["FAMILIES"],
        "choice": ["why_not"],
        "device": ["device_of"],
        "edge_aware": ["smooth_within"],
        "kernel_input": ["kernel_input"],
        "neighbours": ["next_pairs", "padded_links"],
        "resample": ["area_matrix", "premultiplied", "resampled", "shrunk", "straight"],
        "sampling": ["bilinear", "pixels_around"],
        "slopes": ["integrate_slopes"],
        "smooth_field": ["smooth_field"],
    },
)
