"""The generalised winding number of any triangle soup on a grid, from signed crossings along 26 directions.

The generalised winding number (Jacobson et al. 2013, "Robust inside-outside segmentation using generalized winding
numbers") of a point is the signed solid angle of the surface over 4 pi. Equivalently it is the mean, over all ray
directions, of the signed number of times that a ray from the point leaves minus enters through the surface. That
mean is taken here with Lebedev's quadrature of 26 points on the sphere (exact for spherical polynomials up to degree
7): its directions are those to a cell's 26 neighbours, so every ray runs along grid points and one sweep over the
faces serves all points of a line. For a closed mesh each single direction already gives the exact integer; the mean
matters where a mesh has holes.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.types import Mesh

_LEBEDEV_26 = {1: 1 / 21, 2: 4 / 105, 3: 9 / 280}
"""Weight of one direction by its number of non-zero components (axes, edge and corner diagonals)."""

_LINE_SHIFT = np.array([3.1e-5, 7.3e-5])
"""In cells. Moves the rays off the grid points, so that edges of axis-aligned models are never hit exactly."""

_PAIRS_AT_ONCE = 2_000_000
"""Face-line candidates handled together; bounds the memory to about 200 MB."""


def grid_winding_numbers(mesh: Mesh, resolution: int, half_side: float) -> np.ndarray:
    """Generalised winding numbers at the cell centres of a grid over the cube [-half_side, half_side]^3.

    Args:
        mesh: Any triangle soup; counter-clockwise faces seen from outside give positive numbers.
        resolution: Cells per side.
        half_side: Half the side of the cube, in the units of the mesh.

    Returns:
        (R, R, R) float32, x y z order. Faces outside the cube count too.
    """
    vertices = mesh.vertices.astype(np.float64)
    if not np.isfinite(vertices).all():
        raise BadInput("the mesh has vertices that are not finite; repair it first")
    corners = ((vertices + half_side) * (resolution / (2 * half_side)) - 0.5)[mesh.faces]  # (F, 3, 3), grid units
    total = np.zeros((resolution,) * 3)
    for direction in _half_of_26():
        # Both senses of the line at once, hence twice the weight.
        total += 2 * _LEBEDEV_26[np.count_nonzero(direction)] * _line_winding(corners, direction, resolution)
    return total.astype(np.float32)


def _half_of_26() -> list[tuple[int, int, int]]:
    """One of each pair of opposite directions to the 26 neighbours; the last non-zero component is 1."""
    directions = [d for d in product((-1, 0, 1), repeat=3) if any(d)]
    return [d for d in directions if [c for c in d if c][-1] == 1]


def _line_winding(corners: np.ndarray, direction: tuple[int, int, int], resolution: int) -> np.ndarray:
    """Mean of the signed crossings of the two opposite rays along ``direction`` from each grid point, (R, R, R)."""
    main = max(axis for axis in range(3) if direction[axis])
    order = [(main + 1) % 3, (main + 2) % 3, main]  # an even permutation keeps the faces' orientation
    slope_u, slope_v = direction[order[0]], direction[order[1]]
    turned = corners[..., order]
    # A shear turns the lines of this direction into columns (u, v) that hold grid points at integer heights.
    sheared = np.stack([turned[..., 0] - slope_u * turned[..., 2], turned[..., 1] - slope_v * turned[..., 2]], -1)
    low_u, high_u = _column_range(slope_u, resolution)
    low_v, high_v = _column_range(slope_v, resolution)
    sums = np.zeros((high_u - low_u + 1) * (high_v - low_v + 1) * (resolution + 1))
    for columns, heights, signs in _crossings(sheared, turned[..., 2], (low_u, low_v), (high_u, high_v)):
        first_above = np.clip(np.ceil(heights), 0, resolution).astype(np.int64)
        sums += np.bincount(columns * (resolution + 1) + first_above, signs, len(sums))
    below = np.cumsum(sums.reshape(high_u - low_u + 1, high_v - low_v + 1, resolution + 1), axis=2)
    i, j, k = np.ogrid[:resolution, :resolution, :resolution]
    at = (i - slope_u * k - low_u, j - slope_v * k - low_v)
    # Upwards a ray meets what is not below (leaving counts +1); downwards it meets what is below, seen reversed.
    mean = below[(*at, np.full_like(k, resolution))] / 2 - below[(*at, k)]
    return mean.transpose(np.argsort(order))


def _column_range(slope: int, resolution: int) -> tuple[int, int]:
    """Lowest and highest index of the columns that hold grid points."""
    return min(0, -slope * (resolution - 1)), max(resolution - 1, -slope * (resolution - 1) + resolution - 1)


def _crossings(
    corners: np.ndarray, heights: np.ndarray, low: tuple[int, int], high: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Where vertical lines through integer columns pierce faces.

    Args:
        corners: (F, 3, 2) corners in the plane of the columns.
        heights: (F, 3) heights of the corners.
        low: First column along u and v.
        high: Last column along u and v, inclusive.

    Yields:
        Flat column index, height and sign (+1 where the line leaves through the face) of each crossing, in batches.
    """
    corners = corners - _LINE_SHIFT
    first = np.maximum(np.ceil(corners.min(axis=1)), low).astype(np.int64)  # (F, 2)
    last = np.minimum(np.floor(corners.max(axis=1)), high).astype(np.int64)
    spans = np.maximum(last - first + 1, 0)
    counts = spans.prod(axis=1)
    batches = np.cumsum(counts) // _PAIRS_AT_ONCE
    for batch in np.unique(batches[counts > 0]):
        chosen = np.flatnonzero((batches == batch) & (counts > 0))
        face = np.repeat(chosen, counts[chosen])
        within = np.arange(len(face)) - np.repeat(np.cumsum(counts[chosen]) - counts[chosen], counts[chosen])
        u = first[face, 0] + within // spans[face, 1]
        v = first[face, 1] + within % spans[face, 1]
        weights = _edge_functions(corners[face], u, v)  # (P, 3)
        area = weights.sum(axis=1)
        hit = ((weights > 0).all(axis=1) | (weights < 0).all(axis=1)) & (area != 0)
        weights, area, face = weights[hit], area[hit], face[hit]
        column = (u[hit] - low[0]) * (high[1] - low[1] + 1) + v[hit] - low[1]
        yield column, (weights * heights[face]).sum(axis=1) / area, np.sign(area)


def _edge_functions(corners: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Doubled signed areas (P, 3) opposite each corner (P, 3, 2) at the points (u, v); their sum is the face's."""
    to_u, to_v = corners[..., 0] - u[:, None], corners[..., 1] - v[:, None]
    return np.stack([to_u[:, b] * to_v[:, c] - to_u[:, c] * to_v[:, b] for b, c in ((1, 2), (2, 0), (0, 1))], axis=1)
