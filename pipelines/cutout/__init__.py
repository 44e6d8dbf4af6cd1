"""A picture comes in, its object on a transparent square goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["CutoutConfig"],
        "fringe": ["extended", "fringe_px", "without_fringe"],
        "methods": ["CUTOUTS", "Outline", "choose", "cut_along", "cut_out", "find_outline", "outline_of_mask"],
        "stray": ["opacity"],
        "rembg_adapter": ["model_file", "rembg_alpha", "rembg_is_ready"],
    },
)
