"""Which triangles of a mesh pass through others?"""

import numba
import numpy as np


def intersecting_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool, triangles that an edge of another one pierces, or whose edge pierces another one.

    Two triangles in general position intersect exactly when an edge of one passes through the other. Edges that end in
    a corner of the other triangle do not count: neighbours touch there.
    """
    vertices, faces = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int32)
    corners = vertices[faces]
    low, high = corners.min(1), corners.max(1)
    return _sweep(vertices, faces, low, high, np.argsort(low[:, 0], kind="stable"))


@numba.njit(cache=True, nogil=True)
def _sweep(vertices: np.ndarray, faces: np.ndarray, low: np.ndarray, high: np.ndarray, order: np.ndarray) -> np.ndarray:
    """All pairs whose boxes overlap, found in the order of their lower ends along x."""
    found = np.zeros(len(faces), np.bool_)
    for i in range(len(order)):
        f = order[i]
        for j in range(i + 1, len(order)):
            g = order[j]
            if low[g, 0] > high[f, 0]:
                break
            if low[g, 1] > high[f, 1] or high[g, 1] < low[f, 1] or low[g, 2] > high[f, 2] or high[g, 2] < low[f, 2]:
                continue
            if found[f] and found[g]:
                continue
            if _pierces(vertices, faces[f], faces[g]) or _pierces(vertices, faces[g], faces[f]):
                found[f] = found[g] = True
    return found


@numba.njit(cache=True)
def _pierces(vertices: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Does an edge of triangle ``one`` pass through triangle ``other``?"""
    a, b, c = vertices[other[0]], vertices[other[1]], vertices[other[2]]
    for k in range(3):
        start, end = one[k], one[(k + 1) % 3]
        if start in other or end in other:
            continue
        p, q = vertices[start], vertices[end]
        if _volume(p, a, b, c) * _volume(q, a, b, c) >= 0:
            continue
        first, second, third = _volume(p, q, a, b), _volume(p, q, b, c), _volume(p, q, c, a)
        if (first > 0 and second > 0 and third > 0) or (first < 0 and second < 0 and third < 0):
            return True
    return False


@numba.njit(cache=True, inline="always")
def _volume(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Six times the signed volume of a tetrahedron."""
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    cx, cy, cz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    dx, dy, dz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
    return bx * (cy * dz - cz * dy) + by * (cz * dx - cx * dz) + bz * (cx * dy - cy * dx)
