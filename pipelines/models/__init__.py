"""A cutout comes in, posed views of its object go out: by a model, under depth control where wanted, or from a text.

A new source is one file with a subclass of `MultiViewModel`, and one line in `MODELS` (registry.py).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "contract": ["MultiViewModel"],
        "depth_control": ["depth_sheet"],
        "generate": ["draw_views", "prepare"],
        "kept_views": ["picture_on", "read_kept_mesh"],
        "loading": ["GivenViews", "load_model", "may_download", "resolve_auto"],
        "one_view": ["OneViewConfig"],
        "options": ["Generation", "ModelOptions"],
        "registry": ["MODELS", "NEWEST", "model_class"],
        "text_on_mesh": ["draw_on_mesh"],
        "text_to_image": ["draw_picture"],
    },
)
