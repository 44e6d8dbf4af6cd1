"""A solid that has the outlines of a turnaround, round where they say nothing.

Two outlines at a right angle leave a square section of what was drawn round. Each pair of a row's runs, in the front
and in the side picture, is taken for the axes of a superellipse instead (Barr, "Superquadrics", 1981). Where there is
no side picture the front is inflated.
"""

from collections.abc import Mapping

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.types import Mesh

_NODES = 112
_ROUNDNESS = 2.5
"""Exponent of the superellipse: 2 is an ellipse, infinity the box of the outlines alone."""
_LEAST_NODES = 1.5
"""Half the width of the thinnest part, nodes: thinner ones would fall through the grid. The outlines limit them."""
_SMOOTH = 0.8
"""Standard deviation of the blur that takes out the steps between rows, nodes."""


def solid_of(alphas: Mapping[str, np.ndarray], per_px: float) -> Mesh:
    """A closed mesh, world frame, without colours.

    Args:
        alphas: side to outline (H, w), all of one height, boxed; 'front' and maybe 'left' or 'right'.
        per_px: world units of a pixel.
    """
    side = alphas["left"][:, ::-1] if "left" in alphas else alphas.get("right")  # z grows to the right
    return inflated(alphas["front"], per_px) if side is None else _between(alphas["front"], side, per_px)


def inflated(alpha: np.ndarray, per_px: float) -> Mesh:
    """The outline (H, w) inflated."""
    from zero123pp.recon.prior import inflate

    height, width = alpha.shape
    size = int(1.1 * max(height, width)) + 2
    square = np.zeros((size, size), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = alpha
    mesh = inflate(square).mesh
    # Picture sides to world units, with the middle of the figure, which may lie half a pixel off, at the origin.
    off = np.array([left + width / 2 - size / 2, size / 2 - top - height / 2, 0])
    return mesh.with_vertices((np.asarray(mesh.vertices, np.float64) * size - off) * per_px)


def _between(front: np.ndarray, side: np.ndarray, per_px: float) -> Mesh:
    from scipy.ndimage import gaussian_filter1d

    from zero123pp.recon.field import Field
    from zero123pp.recon.meshing import extract

    half_extent = 1.05 * OBJECT_RADIUS
    axis = np.linspace(-half_extent, half_extent, _NODES)
    rows = np.round((front.shape[0] - 1) / 2 - axis / per_px).astype(int)
    x, x_half = _positions(front, axis / per_px, rows)  # (n, n): row by column
    z, z_half = _positions(side, axis / per_px, rows)
    power = (x[:, :, None] ** _ROUNDNESS + z[:, None, :] ** _ROUNDNESS) ** (1 / _ROUNDNESS)
    level = (power - 1) * np.minimum(x_half[:, :, None], z_half[:, None, :]) * per_px  # about a distance
    level = gaussian_filter1d(np.clip(level, -0.2, 0.2), _SMOOTH, axis=0)
    sdf = np.ascontiguousarray(level.transpose(1, 0, 2), np.float32)  # y, x, z to x, y, z
    return extract(Field(sdf, np.full((*sdf.shape, 3), 0.5, np.float32), half_extent))


def _positions(alpha: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where columns (n,) stand in the nearest run of each row (n,): 0 in its middle, 1 at its ends; half its width.

    Columns are in px from the picture's middle. Rows without a run, or beside the picture, are far from any.
    """
    height, width = alpha.shape
    place = np.full((len(rows), len(columns)), 3.0)
    half = np.full(place.shape, 4.0)
    least = _LEAST_NODES * (columns[1] - columns[0])
    at = columns + width / 2
    for number, row in enumerate(rows):
        if not 0 <= row < height:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], alpha[row] > 0.5, [False]]).astype(np.int8)))
        if not len(edges):
            continue
        middles, halves = (edges[::2] + edges[1::2]) / 2, np.maximum((edges[1::2] - edges[::2]) / 2, least)
        beside = np.abs(at[:, None] - middles) - halves  # below 0 inside
        nearest = beside.argmin(1)
        half[number] = halves[nearest]
        place[number] = np.minimum(np.abs(at - middles[nearest]) / halves[nearest], 9)
    return place, half
