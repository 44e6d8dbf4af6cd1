"""A mesh comes in, a file in the format of its suffix goes out, whole or not at all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "again": ["check_export", "export", "files_of"],
        "exporters": ["EXPORTERS", "check_normal_map", "check_target", "save", "written_by"],
        "options": [
            "AXES",
            "COLLISIONS",
            "COMPRESSIONS",
            "MATERIALS",
            "ORIGINS",
            "TEXTURE_FORMATS",
            "UNITS",
            "WALL_MM",
            "FileOptions",
        ],
        "show": ["PREVIEW_SUFFIXES", "TURNTABLE_SUFFIXES", "check_picture", "write_preview", "write_turntable"],
        "glb": ["encode_glb", "to_trimesh"],
    },
)
