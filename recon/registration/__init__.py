"""A picture or a capture without a known frame comes in, its camera or similarity in the world frame goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "common_volume": ["common_volume", "moved"],
        "input_view": ["RegisterConfig", "register_input_view"],
    },
)
