"""Files of the user come in, checked pictures, sheets, posed views and lists of objects go out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "objects": ["MESH_SUFFIXES", "SPLITS", "find_meshes", "read_manifest"],
        "find_file": ["find_file", "spellings"],
        "heif": ["is_heif"],
        "pictures": [
            "PICTURE_SUFFIXES",
            "find_pictures",
            "is_picture",
            "passed_over",
            "passed_over_under",
            "pictures_under",
        ],
        "posed_views": ["PosedPictures"],
        "read_image": ["MAX_BYTES", "read_image"],
        "shard": ["Shard"],
        "sheets": ["key_background", "views_from_sheet"],
        "tables": ["MAX_ROW_CHARACTERS", "csv_rows", "text_lines"],
        "sources": ["Source", "check_no_drawing", "check_source", "check_text_control", "view_files"],
    },
)
