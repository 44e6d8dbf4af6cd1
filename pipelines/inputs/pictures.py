"""Folders of pictures: which files are pictures, in which order they are taken, and which are passed over."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import heif

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
UNREAD_SUFFIXES = (
    *heif.SUFFIXES,
    *(".avif", ".jxl", ".jp2", ".psd", ".svg", ".eps", ".tga", ".exr"),
    *(".dng", ".raw", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".raf", ".rw2"),
)
"""Pictures that are not read, or only with a plug-in: a folder's are told of, not passed over in silence."""

_NAMED = 3
"""So many of the files that are passed over are named."""


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture; hidden ones are not."""
    suffixes = PICTURE_SUFFIXES + (heif.SUFFIXES if heif.can_read() else ())
    return name.lower().endswith(suffixes) and not name.startswith(".")


def passed_over(names: Sequence[str]) -> str:
    """One line on the pictures among ``names`` that cannot be read; '' where there are none."""
    unread = [name for name in names if name.lower().endswith(UNREAD_SUFFIXES) and not is_picture(name)]
    unread = [name for name in unread if not Path(name).name.startswith(".")]
    if not unread:
        return ""
    more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    is_heic = any(name.lower().endswith(heif.SUFFIXES) for name in unread)
    do = f"{heif.INSTALL} reads HEIC" if is_heic else "save them as PNG or JPEG"
    files = "1 picture is" if len(unread) == 1 else f"{len(unread)} pictures are"
    return f"{files} passed over: {', '.join(unread[:_NAMED])}{more}; {do}"


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
        found += sorted(path.iterdir()) if path.is_dir() else [path]
    chosen = [file for file in found if is_picture(file.name) and not (skip and file.stem.endswith(skip))]
    if not chosen:
        others = passed_over([file.name for file in found])
        raise BadInput(
            f"no pictures in {', '.join(map(str, paths))}; expected {', '.join(PICTURE_SUFFIXES)}"
            + (f" ({others})" if others else "")
        )
    return chosen


def pictures_under(root: Path, skip: Path | None = None) -> list[str]:
    """Paths, relative to ``root``, of the pictures in it and its sub-folders, sorted.

    Links to folders are not followed; hidden folders are left out, and so is the folder ``skip``.
    """
    return sorted(path for path in _files_under(root, skip) if is_picture(os.path.basename(path)))


def passed_over_under(root: Path, skip: Path | None = None) -> str:
    """`passed_over` of a folder with its sub-folders."""
    return passed_over(sorted(_files_under(root, skip)))


def _files_under(root: Path, skip: Path | None) -> Iterator[str]:
    left_out = None if skip is None else os.path.realpath(skip)
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) != left_out
        ]
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in files)
