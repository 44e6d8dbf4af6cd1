"""Every crossing of a picture's rays with a triangle mesh, by rasterising instead of tracing."""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def _pixels(faces, f, u, v, side):  # pragma: no cover - compiled
    """First and last pixel (excluded) whose centres can lie in a triangle: x0, x1, y0, y1."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    x0 = max(0, math.ceil(min(u[a], u[b], u[c]) - 0.5))
    x1 = min(side, math.floor(max(u[a], u[b], u[c]) - 0.5) + 1)
    y0 = max(0, math.ceil(min(v[a], v[b], v[c]) - 0.5))
    y1 = min(side, math.floor(max(v[a], v[b], v[c]) - 0.5) + 1)
    return x0, x1, y0, y1


@njit(cache=True)
def _edge(a, b, u, v, x, y):  # pragma: no cover - compiled
    """Twice the signed area of a place and an edge: for the triangle on its other side exactly the opposite."""
    if a < b:
        return (u[b] - u[a]) * (y - v[a]) - (v[b] - v[a]) * (x - u[a])
    return -((u[a] - u[b]) * (y - v[b]) - (v[a] - v[b]) * (x - u[b]))


@njit(cache=True)
def _covers(e, a, b, u, v, sign):  # pragma: no cover - compiled
    """Whether a place lies on the triangle's side of an edge from a to b; on the edge itself for one of its two."""
    if e != 0:
        return e * sign > 0
    du, dv = (u[b] - u[a]) * sign, (v[b] - v[a]) * sign
    return dv < 0 or (dv == 0 and du > 0)


@njit(cache=True)
def _meet(faces, f, u, v, inverse_z, px, py, weight):  # pragma: no cover - compiled
    """Whether a pixel's ray meets a triangle, how deep, on which side; ``weight`` (3,) gets its corners' shares."""
    a, b, c, x, y = faces[f, 0], faces[f, 1], faces[f, 2], px + 0.5, py + 0.5
    e0, e1, e2 = _edge(b, c, u, v, x, y), _edge(c, a, u, v, x, y), _edge(a, b, u, v, x, y)
    area = e0 + e1 + e2
    if area == 0:
        return False, 0.0, False
    sign = 1.0 if area > 0 else -1.0
    if not (_covers(e0, b, c, u, v, sign) and _covers(e1, c, a, u, v, sign) and _covers(e2, a, b, u, v, sign)):
        return False, 0.0, False
    w0, w1, w2 = e0 * inverse_z[a], e1 * inverse_z[b], e2 * inverse_z[c]
    total = w0 + w1 + w2
    weight[0], weight[1], weight[2] = w0 / total, w1 / total, w2 / total
    return True, area / total, area < 0  # y points down: what faces the viewer turns against the clock, area below 0


@njit(cache=True)
def count_crossings(faces, u, v, inverse_z, count):  # pragma: no cover - compiled
    """How many triangles each pixel's ray crosses, into ``count`` (S, S) int32; ``u``, ``v`` in px."""
    weight = np.empty(3)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(count))
        for py in range(y0, y1):
            for px in range(x0, x1):
                if _meet(faces, f, u, v, inverse_z, px, py, weight)[0]:
                    count[py, px] += 1


@njit(cache=True)
def list_crossings(faces, u, v, inverse_z, start, fill, depth, face, facing, weights):  # pragma: no cover - compiled
    """The crossings themselves, in each pixel's part of the lists that begins at ``start`` (S, S), nearest first."""
    weight = np.empty(3)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(start))
        for py in range(y0, y1):
            for px in range(x0, x1):
                met, z, front = _meet(faces, f, u, v, inverse_z, px, py, weight)
                if not met:
                    continue
                k = start[py, px] + fill[py, px]
                while k > start[py, px] and depth[k - 1] > z:
                    depth[k], face[k], facing[k] = depth[k - 1], face[k - 1], facing[k - 1]
                    for corner in range(3):
                        weights[k, corner] = weights[k - 1, corner]
                    k -= 1
                depth[k], face[k], facing[k] = z, f, front
                for corner in range(3):
                    weights[k, corner] = weight[corner]
                fill[py, px] += 1


@njit(cache=True)
def first_and_last(start, count, depth, facing, layers, first, last):  # pragma: no cover - compiled
    """Four depths a ray into ``layers`` (4, S, S): first entry, first exit, last entry, last exit; NaN where unknown.

    The inner two hold where entries and exits balance, which they need not on open or inside-out meshes.
    """
    side = start.shape[0]
    for y in range(side):
        for x in range(side):
            n, begin = count[y, x], start[y, x]
            for k in range(4):
                layers[k, y, x] = np.nan
            if n == 0:
                continue
            first[y, x], last[y, x] = begin, begin + n - 1
            layers[0, y, x], layers[3, y, x] = depth[begin], depth[begin + n - 1]
            inside, leave, enter, sound = 0, -1.0, -1.0, True
            for k in range(begin, begin + n):
                if facing[k]:
                    if inside == 0:
                        enter = depth[k]
                    inside += 1
                else:
                    inside -= 1
                    if inside < 0:
                        sound = False
                        break
                    if inside == 0 and leave < 0:
                        leave = depth[k]
            if sound and inside == 0:
                layers[1, y, x], layers[2, y, x] = leave, enter


@njit(cache=True)
def nearest(faces, u, v, inverse_z, depth, face, weights):  # pragma: no cover - compiled
    """The nearest crossing of each pixel's ray; ``depth`` begins at infinity, ``face`` at -1."""
    weight = np.empty(3)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(depth))
        for py in range(y0, y1):
            for px in range(x0, x1):
                met, z, _ = _meet(faces, f, u, v, inverse_z, px, py, weight)
                if met and z < depth[py, px]:
                    depth[py, px], face[py, px] = z, f
                    for corner in range(3):
                        weights[py, px, corner] = weight[corner]
