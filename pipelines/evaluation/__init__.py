"""Finished work and known truth come in, numbers, tables and contact sheets go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["report", "truth"],
    submod_attrs={
        "contact_sheet": ["contact_sheet", "save_contact_sheet"],
        "cutout": ["find_pairs", "score", "summary", "timed_alpha"],
        "degrade": ["Degradation"],
        "lit": ["Lighting"],
        "looks": ["true_looks"],
        "pictures": ["TILE_PX", "VIEWS_DEG", "measured", "pictures_of"],
        "protocol": ["get_protocol"],
        "reconstruction": ["EvaluationSettings", "Reconstructions", "evaluate", "headline"],
        "report": ["Row", "machine", "options_of"],
        "sheets": ["mean_sheet"],
        "views": ["Drawing", "SheetResults", "ViewsEvaluation", "WRONG"],
    },
)
