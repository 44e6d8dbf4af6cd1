"""Training of the bundled cutout network on composed pictures: objects with known alpha over photographs.

The command takes a folder of object pictures (RGBA; `zero123pp.pipelines.training_data.cutouts` makes one from
meshes) and a folder of panoramas to take the photographs from.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["Compositions"],
        "export": ["export_onnx"],
        "pairs": ["object_groups", "photographs_of"],
        "train": ["MattingTrainConfig", "train"],
    },
)
