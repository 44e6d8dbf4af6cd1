"""Nearest points on a triangle mesh, compiled by Numba; import this module only where they run."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def cells_of(corners: np.ndarray, low: np.ndarray, cell: float, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles by the cell of a grid that their boxes touch: those of cell c are ``found[start[c]:start[c + 1]]``.

    Args:
        corners: (F, 3, 3).
        low: (3,) corner of the grid.
        cell: side of a cell.
        shape: (3,) cells along each axis.
    """
    start = np.empty(shape[0] * shape[1] * shape[2] + 1, np.int64)
    start[:] = 0
    first, last = np.empty((len(corners), 3), np.int64), np.empty((len(corners), 3), np.int64)
    for f in range(len(corners)):
        for axis in range(3):
            a, b, c = corners[f, 0, axis], corners[f, 1, axis], corners[f, 2, axis]
            first[f, axis] = min(max(int((min(a, b, c) - low[axis]) / cell), 0), shape[axis] - 1)
            last[f, axis] = min(max(int((max(a, b, c) - low[axis]) / cell), 0), shape[axis] - 1)
    for f in range(len(corners)):
        for x in range(first[f, 0], last[f, 0] + 1):
            for y in range(first[f, 1], last[f, 1] + 1):
                for z in range(first[f, 2], last[f, 2] + 1):
                    start[(x * shape[1] + y) * shape[2] + z + 1] += 1
    for c in range(len(start) - 1):
        start[c + 1] += start[c]
    found, filled = np.empty(start[-1], np.int32), start[:-1].copy()
    for f in range(len(corners)):
        for x in range(first[f, 0], last[f, 0] + 1):
            for y in range(first[f, 1], last[f, 1] + 1):
                for z in range(first[f, 2], last[f, 2] + 1):
                    c = (x * shape[1] + y) * shape[2] + z
                    found[filled[c]] = f
                    filled[c] += 1
    return start, found


@numba.njit(cache=True, nogil=True)
def nearest_facing(
    points: np.ndarray,
    normals: np.ndarray,
    corners: np.ndarray,
    face_normals: np.ndarray,
    start: np.ndarray,
    found: np.ndarray,
    low: np.ndarray,
    cell: float,
    shape: np.ndarray,
    reach: int,
) -> tuple[np.ndarray, np.ndarray]:
    """For each point the triangle (n,) that is nearest among those facing as it does, and where on it, (n, 3) weights.

    -1 where there is none within ``reach`` cells. ``start`` and ``found`` are from `cells_of`.
    """
    face, weights = np.empty(len(points), np.int32), np.empty((len(points), 3), np.float32)
    for n in range(len(points)):
        face[n], best = -1, np.inf
        weights[n, 0], weights[n, 1], weights[n, 2] = 0, 0, 0
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        cx, cy, cz = int((px - low[0]) / cell), int((py - low[1]) / cell), int((pz - low[2]) / cell)
        room = min(px - low[0] - cx * cell, py - low[1] - cy * cell, pz - low[2] - cz * cell)
        room = min(room, (cx + 1) * cell + low[0] - px, (cy + 1) * cell + low[1] - py, (cz + 1) * cell + low[2] - pz)
        for ring in range(reach + 1):
            if ring > 0 and best <= max(room + (ring - 1) * cell, 0.0) ** 2:  # what is farther out cannot be nearer
                break
            for x in range(max(cx - ring, 0), min(cx + ring + 1, shape[0])):
                for y in range(max(cy - ring, 0), min(cy + ring + 1, shape[1])):
                    for z in range(max(cz - ring, 0), min(cz + ring + 1, shape[2])):
                        if max(abs(x - cx), abs(y - cy), abs(z - cz)) != ring:
                            continue
                        c = (x * shape[1] + y) * shape[2] + z
                        for f in found[start[c] : start[c + 1]]:
                            facing = normals[n, 0] * face_normals[f, 0] + normals[n, 1] * face_normals[f, 1]
                            if facing + normals[n, 2] * face_normals[f, 2] <= 0:
                                continue
                            u, v = _nearest_on(px, py, pz, corners[f])
                            dx = corners[f, 0, 0] + u * (corners[f, 1, 0] - corners[f, 0, 0]) - px
                            dy = corners[f, 0, 1] + u * (corners[f, 1, 1] - corners[f, 0, 1]) - py
                            dz = corners[f, 0, 2] + u * (corners[f, 1, 2] - corners[f, 0, 2]) - pz
                            dx += v * (corners[f, 2, 0] - corners[f, 0, 0])
                            dy += v * (corners[f, 2, 1] - corners[f, 0, 1])
                            dz += v * (corners[f, 2, 2] - corners[f, 0, 2])
                            distance = dx * dx + dy * dy + dz * dz
                            if distance < best:
                                best, face[n] = distance, f
                                weights[n, 0], weights[n, 1], weights[n, 2] = 1 - u - v, u, v
    return face, weights


@numba.njit(cache=True, nogil=True)
def _nearest_on(px: float, py: float, pz: float, corners: np.ndarray) -> tuple[float, float]:
    """Weights of the second and third corner at a triangle's nearest point (Ericson 2005, section 5.1.5)."""
    abx, aby, abz = (
        corners[1, 0] - corners[0, 0],
        corners[1, 1] - corners[0, 1],
        corners[1, 2] - corners[0, 2],
    )
    acx, acy, acz = (
        corners[2, 0] - corners[0, 0],
        corners[2, 1] - corners[0, 1],
        corners[2, 2] - corners[0, 2],
    )
    apx, apy, apz = px - corners[0, 0], py - corners[0, 1], pz - corners[0, 2]
    d1, d2 = abx * apx + aby * apy + abz * apz, acx * apx + acy * apy + acz * apz
    if d1 <= 0 and d2 <= 0:
        return 0.0, 0.0
    bb, bc, cc = abx * abx + aby * aby + abz * abz, abx * acx + aby * acy + abz * acz, acx * acx + acy * acy + acz * acz
    d3, d4 = d1 - bb, d2 - bc
    if d3 >= 0 and d4 <= d3:
        return 1.0, 0.0
    d5, d6 = d1 - bc, d2 - cc
    if d6 >= 0 and d5 <= d6:
        return 0.0, 1.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0 and d1 >= 0 and d3 <= 0:
        return d1 / (d1 - d3), 0.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0 and d2 >= 0 and d6 <= 0:
        return 0.0, d2 / (d2 - d6)
    va = d3 * d6 - d5 * d4
    if va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        share = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return 1 - share, share
    total = va + vb + vc
    if total == 0:
        return 0.0, 0.0
    return vb / total, vc / total
