"""Objects to lit pictures with their true alpha, to train the cutout network on."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zero123pp.files import make_folder, write_file
from zero123pp.images import encode_png, to_uint8
from zero123pp.train.one_view import Solid, lit_picture

_MOST = 6.0
"""Times as many pictures of an object of a rare class as of one of the largest class, at most."""

_TRIES = 8
"""Poses that are tried before an object of which too little is seen is passed by."""


def picture_counts(classes: dict[str, list[str]], pictures: int) -> dict[str, int]:
    """Pictures an object of each class (to its objects): more of the rare ones, or training would pass them by."""
    largest = max(len(names) for names in classes.values())
    return {kind: round(pictures * min(_MOST, (largest / len(names)) ** 0.5)) for kind, names in classes.items()}


def render_pictures(
    solid: Callable[[], Solid], name: str, folder: Path, count: int, size_px: int, lights: Sequence[np.ndarray]
) -> None:
    """Writes ``<name>_<number>.png``: ``count`` pictures cut to what is seen, each a function of its name alone.

    Args:
        solid: makes the object; not called when every picture is there.
        name: of the pictures.
        folder: receives them; pictures there are kept.
        count: pictures.
        size_px: side of the square that is rendered before it is cut.
        lights: (9, 3) each, of `zero123pp.train.one_view.read_lights`.
    """
    missing = [file for file in (folder / f"{name}_{number}.png" for number in range(count)) if not file.exists()]
    if not missing:
        return
    make_folder(folder)
    made = solid()
    for file in missing:
        rng = np.random.default_rng(zlib.crc32(file.stem.encode()))
        rgba = next(filter(_is_seen, (lit_picture(made, lights, size_px, rng) for _ in range(_TRIES))), None)
        if rgba is None:
            continue
        rows, columns = (np.flatnonzero((rgba[..., 3] > 0).any(axis)) for axis in (1, 0))
        cut = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        write_file(file, encode_png(to_uint8(cut), compress_level=1))


def _is_seen(rgba: np.ndarray | None) -> bool:
    return rgba is not None
