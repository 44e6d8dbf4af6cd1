"""Folders of pictures: which files are pictures, and in which order they are taken."""

import os
from collections.abc import Sequence
from pathlib import Path

from zero123pp.errors import BadInput

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture; hidden ones are not."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith(".")


def find_pictures(paths: Sequence[str | Path], skip: str = "") -> list[Path]:
    """The pictures among ``paths`` and in the folders among them, sorted by name in each folder.

    Args:
        paths: files and folders; sub-folders are not searched.
        skip: leave out pictures whose name without suffix ends so.

    Raises:
        BadInput: there is none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in files if is_picture(file.name)]
    chosen = [file for file in found if not skip or not file.stem.endswith(skip)]
    if not chosen:
        raise BadInput(f"no pictures in {', '.join(map(str, paths))}; expected {', '.join(PICTURE_SUFFIXES)}")
    return chosen


def pictures_under(root: Path) -> list[str]:
    """Paths, relative to ``root``, of the pictures in it and its sub-folders, sorted.

    Links to folders are not followed; hidden folders are left out.
    """
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files if is_picture(name)]
    return sorted(found)
