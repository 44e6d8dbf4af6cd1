"""Posed views come in, a field of signed distances and colours that renders like them goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["targets"],
    submod_attrs={
        "fit": ["FitConfig", "fit"],
        "frame": ["shown_radius"],
        "hull": ["Silhouettes"],
        "flats": ["Look"],
        "correction.inputs": ["LOOK_CHANNELS", "LOOK_COUNT", "UNSEEN", "halved", "nearest_depth", "network_inputs"],
        "outline": ["signed_distance"],
        "targets": ["trusted_normals"],
    },
)
