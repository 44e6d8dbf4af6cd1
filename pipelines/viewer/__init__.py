"""A model and what is known of it come in, a page to look at it goes out, which asks nobody else for anything."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "page": ["KINDS", "model_page"],
        "report": ["report_page"],
        "static_files": ["ELEMENT", "OFFLINE", "viewer_file"],
    },
)
