"""Stored objects come in (``run.py render solids``), a network that reads one picture of an object goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["export_one_view"],
        "irradiance": ["harmonics", "irradiance_of", "read_lights"],
        "network": ["OneViewNet"],
        "samples": ["lit_picture"],
        "solids": ["Solid", "StoredPaint", "generated"],
        "store": ["SolidStore"],
        "train": ["OneViewTrainConfig", "export_checkpoint", "train"],
    },
)
