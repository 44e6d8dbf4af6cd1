"""Values for texels that have none: from their neighbours in the picture, or on the surface."""

import numba
import numpy as np

NORMAL_WEIGHT = 0.15
"""World units that a unit of normal difference counts as distance, so that colour does not leak through thin walls."""

NEIGHBOURS = 8


def fill_nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture with each unknown pixel set to the value of (nearly) the nearest known one.

    Args:
        values: (H, W, C).
        known: (H, W) bool; where none is known the picture comes back unchanged.
    """
    if not known.any() or known.all():
        return values
    row, column = _nearest(known)
    return values[row, column]


@numba.njit(cache=True, nogil=True)
def _nearest(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column (H, W) of a nearest known pixel by two sweeps (Danielsson, "Euclidean distance mapping", 1980)."""
    height, width = known.shape
    row, column = np.full((height, width), -1, np.int32), np.full((height, width), -1, np.int32)
    distance = np.full((height, width), 1 << 40, np.int64)
    for y in range(height):
        for x in range(width):
            if known[y, x]:
                row[y, x], column[y, x], distance[y, x] = y, x, 0
    for sweep in range(2):
        down = 1 if sweep == 0 else -1
        for step_y in range(height):
            y = step_y if sweep == 0 else height - 1 - step_y
            for right in (1, -1):
                for step_x in range(width):
                    x = step_x if right == 1 else width - 1 - step_x
                    for dy, dx in ((0, right), (down, 0), (down, right), (down, -right)):
                        from_y, from_x = y - dy, x - dx
                        if 0 <= from_y < height and 0 <= from_x < width and row[from_y, from_x] >= 0:
                            r, c = row[from_y, from_x], column[from_y, from_x]
                            d = (np.int64(r) - y) ** 2 + (np.int64(c) - x) ** 2
                            if d < distance[y, x]:
                                row[y, x], column[y, x], distance[y, x] = r, c, d
    return row, column


def fill_on_surface(
    points: np.ndarray,
    normals: np.ndarray,
    known_points: np.ndarray,
    known_normals: np.ndarray,
    known_colors: np.ndarray,
) -> np.ndarray:
    """Colours at surface points from the nearest known points in (position, normal), by inverse squared distance.

    Args:
        points: (n, 3) where colours are wanted; ``normals`` (n, 3) unit.
        normals: of ``points``.
        known_points: (m, 3) with m > 0; ``known_normals`` (m, 3) unit; ``known_colors`` (m, 3).
        known_normals: of ``known_points``.
        known_colors: of ``known_points``.

    Returns:
        (n, 3) float32.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.concatenate([known_points, NORMAL_WEIGHT * known_normals], axis=1))
    count = min(NEIGHBOURS, len(known_points))
    query = np.concatenate([points, NORMAL_WEIGHT * normals], axis=1)
    distance, nearest = tree.query(query, k=np.arange(1, count + 1))
    weight = 1 / (distance**2 + 1e-8)
    weight /= weight.sum(1, keepdims=True)
    return (weight[..., None] * np.asarray(known_colors)[nearest]).sum(1).astype(np.float32)
