"""Lattice noise at points in space: numba kernels."""

import numba
import numpy as np


@numba.njit(cache=True, inline="always")
def _hash(x, y, z, seed):
    """An integer lattice point to a number in [0, 1)."""
    h = np.uint32(x * 374761393 + y * 668265263 + z * 2147483647 + seed * 1274126177)
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(1274126177))
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(2246822519))
    return (h ^ (h >> np.uint32(15))) / 4294967296.0


@numba.njit(cache=True)
def value_noise(points, octaves, seed):
    """(n, 3) float to (n,) float32 in about [0, 1]; one lattice cell has length 1, each octave half of the last."""
    out = np.zeros(len(points), np.float32)
    for i in range(len(points)):
        total, weight, scale = 0.0, 0.0, 1.0
        for o in range(octaves):
            x, y, z = points[i, 0] * scale, points[i, 1] * scale, points[i, 2] * scale
            x0, y0, z0 = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
            fx, fy, fz = x - x0, y - y0, z - z0
            fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
            value = 0.0
            for corner in range(8):
                dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
                w = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
                value += w * _hash(x0 + dx, y0 + dy, z0 + dz, seed + o)
            total += value / scale
            weight += 1 / scale
            scale *= 2
        out[i] = total / weight
    return out


@numba.njit(cache=True)
def cells(points, seed):
    """Voronoi cells of one jittered site a lattice cell.

    Returns distances to the nearest and the second site (n, 2) float32, and a number in [0, 1) of each cell (n,).
    """
    distances = np.empty((len(points), 2), np.float32)
    identity = np.empty(len(points), np.float32)
    for i in range(len(points)):
        x, y, z = points[i]
        x0, y0, z0 = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        first, second, who = 1e9, 1e9, 0.0
        for dx in range(-1, 2):
            for dy in range(-1, 2):
                for dz in range(-1, 2):
                    a, b, c = x0 + dx, y0 + dy, z0 + dz
                    u = a + _hash(a, b, c, seed) - x
                    v = b + _hash(a, b, c, seed + 1) - y
                    w = c + _hash(a, b, c, seed + 2) - z
                    d = u * u + v * v + w * w
                    if d < first:
                        second, first, who = first, d, _hash(a, b, c, seed + 3)
                    elif d < second:
                        second = d
        distances[i, 0], distances[i, 1], identity[i] = np.sqrt(first), np.sqrt(second), who
    return distances, identity
