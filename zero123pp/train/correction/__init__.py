"""Looks at fitted surfaces come in (``run.py render looks``), a network that corrects such surfaces goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["export_correction"],
        "looks": ["LookStore", "TrueLook"],
        "train": ["CorrectionTrainConfig", "train"],
    },
)
