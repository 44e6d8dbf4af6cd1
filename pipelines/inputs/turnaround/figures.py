"""Figures of a turnaround, cut out: off their background, at their gutters, without the letters beside them."""

from itertools import pairwise

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import to_float

_SPECK = 0.01
"""Islands below this share of the largest one's area are letters, lines and dust."""
_LEAST_PX = 24
"""Height of a figure below which there is nothing to see."""


def cut_figures(pixels: np.ndarray, count: int, name: str) -> list[np.ndarray]:
    """The figures of a picture, from left to right and row by row, each (h, w, 4) float32 cut to its box.

    Args:
        pixels: (H, W, 3 or 4) uint8; without alpha the plain background is keyed.
        count: how many there are. Parts of a figure that stand apart go to it: the widest gaps part figures.
        name: of the picture, for messages.

    Raises:
        BadInput: there are fewer, or they are too small.
    """
    rgba = _cut_out(pixels, name)
    figures = _in_a_row(rgba, count)
    if figures is None:
        rows = _runs((rgba[..., 3] > 0.5).any(1))
        bands = [rgba[top:bottom] for top, bottom in rows]
        parts = [_runs((band[..., 3] > 0.5).any(0)) for band in bands]
        if sum(map(len, parts)) != count:
            found = max(len(_runs((rgba[..., 3] > 0.5).any(0))), max(map(len, parts)))
            raise BadInput(
                f"{name} shows {found} figure{'s' * (found != 1)} beside each other; expected {count}, with empty "
                "gutters between them"
            )
        figures = [_boxed(band[:, left:right]) for band, runs in zip(bands, parts) for left, right in runs]
    small = [figure.shape[0] for figure in figures if figure.shape[0] < _LEAST_PX]
    if small:
        raise BadInput(f"{name} shows a figure of {small[0]} px height; expected at least {_LEAST_PX} px")
    return figures


def _cut_out(pixels: np.ndarray, name: str) -> np.ndarray:
    """Straight colours and alpha (H, W, 4) float32 without specks."""
    from scipy import ndimage

    from zero123pp.pipelines.inputs.sheets import key_background

    if pixels.shape[-1] == 4 and (pixels[..., 3] < 255).any():
        rgba = to_float(pixels)
    else:
        (rgb,), (alpha,) = key_background(to_float(pixels[..., :3])[None])
        rgba = np.dstack([rgb, alpha])
    shown = rgba[..., 3] > 0.5
    if not shown.any():
        raise BadInput(f"{name} shows no figure: every pixel is background")
    islands, _ = ndimage.label(shown, np.ones((3, 3)))
    area = np.bincount(islands.ravel())
    area[0] = 0
    kept = (area >= _SPECK * area.max())[islands]
    rgba[..., 3] *= ndimage.binary_dilation(kept, iterations=2)  # with its soft edge
    return rgba


def _in_a_row(rgba: np.ndarray, count: int) -> list[np.ndarray] | None:
    """The figures of one row; None where there are not enough."""
    runs = _runs((rgba[..., 3] > 0.5).any(0))
    while len(runs) > count:
        gaps = [after[0] - before[1] for before, after in pairwise(runs)]
        at = int(np.argmin(gaps))
        runs[at : at + 2] = [(runs[at][0], runs[at + 1][1])]
    return [_boxed(rgba[:, left:right]) for left, right in runs] if len(runs) == count else None


def _runs(occupied: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], occupied, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def _boxed(rgba: np.ndarray) -> np.ndarray:
    """Cut to the box round what is more than half opaque."""
    rows, columns = (np.flatnonzero((rgba[..., 3] > 0.5).any(axis)) for axis in (1, 0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
