"""A reconstruction and the truth come in, numbers go out: distances, overlap, likeness of pictures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["distances"],
    submod_attrs={
        "agreement": ["agreement"],
        "alignment": ["ALIGNMENTS"],
        "distances": ["SurfaceSamples"],
        "likeness": ["likeness"],
        "pictures": ["decibels", "psnr", "ssim"],
        "visibility": ["bound", "by_visibility", "seen_points"],
        "roughness": ["roughness_deg"],
        "winding": ["grid_winding_numbers"],
    },
)
