"""Lines that a sheet has along the borders of its tiles: a grid drawn over it, or a frame round each tile."""

import numpy as np

from zero123pp.images import premultiply

_DEEPEST = 0.03
"""How far into a tile such a line may reach, as a share of its side."""
_UNIFORM = 0.06
"""Nine tenths of a line's pixels differ by less from its colour."""
_CONTRAST = 0.05
"""A line differs by more from the background inside of it; a drifting background does not."""


def without_lines(tiles: np.ndarray) -> np.ndarray:
    """Tiles (V, S, S, 3 or 4) float in [0, 1] with the background in place of lines along their borders.

    A line is a row or column of one colour, other than the background's, from one end of the tile to the other. Tiles
    without any come back as they are.
    """
    depth = max(2, round(_DEEPEST * tiles.shape[1]))
    shown = premultiply(tiles) if tiles.shape[-1] == 4 else tiles
    ring = np.concatenate(
        [shown[:, depth], shown[:, -1 - depth], shown[:, :, depth], shown[:, :, -1 - depth]], axis=1
    ).reshape(-1, tiles.shape[-1])
    background = np.median(ring, axis=0)
    mended = tiles.copy()
    for tile, seen in zip(mended, shown):
        for turn in range(4):
            width = _line_width(np.rot90(seen, turn), background, depth)
            if width:
                np.rot90(tile, turn)[: width + 1] = background  # and the row that its soft edge reaches
    return mended


def _line_width(tile: np.ndarray, background: np.ndarray, depth: int) -> int:
    """Rows from the top border (S, S, C) that belong to a line; 0 where there is none."""
    rows = tile[:depth]
    colours = np.median(rows, axis=1)
    inner = np.median(tile[depth], axis=0)
    spread = np.quantile(np.abs(rows - colours[:, None]).max(-1), 0.9, axis=1)
    contrast = np.minimum(np.abs(colours - background).max(-1), np.abs(colours - inner).max(-1))
    found = np.flatnonzero((spread < _UNIFORM) & (contrast > _CONTRAST))
    return int(found[-1]) + 1 if len(found) else 0
