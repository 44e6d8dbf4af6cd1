"""A mesh comes in, a file in the format of its suffix goes out, whole or not at all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exporters": ["EXPORTERS", "check_target", "save", "written_by"],
        "glb": ["encode_glb", "to_trimesh"],
    },
)
