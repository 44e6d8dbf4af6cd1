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
def _edge(a, b, u, v, sign):  # pragma: no cover - compiled
    """(p, q, r, own) of an edge from a to b: p x + q y + r is above 0 on the triangle's side of it.

    It is exactly the opposite for the triangle on the other side; ``own``: which of the two the edge itself belongs to.
    """
    turn = sign if a < b else -sign
    first, second = min(a, b), max(a, b)
    du, dv = u[second] - u[first], v[second] - v[first]
    own = -dv * turn > 0 or (dv == 0 and du * turn > 0)
    return -dv * turn, du * turn, (dv * u[first] - du * v[first]) * turn, own


@njit(cache=True)
def _triangle(faces, f, u, v, edges, owns):  # pragma: no cover - compiled
    """Twice the signed area; ``edges`` (3, 3) and ``owns`` (3,) get what `_edge` says of the sides facing a, b, c."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    area = (u[b] - u[a]) * (v[c] - v[a]) - (v[b] - v[a]) * (u[c] - u[a])
    sign = 1.0 if area > 0 else -1.0
    edges[0, 0], edges[0, 1], edges[0, 2], owns[0] = _edge(b, c, u, v, sign)
    edges[1, 0], edges[1, 1], edges[1, 2], owns[1] = _edge(c, a, u, v, sign)
    edges[2, 0], edges[2, 1], edges[2, 2], owns[2] = _edge(a, b, u, v, sign)
    return area


@njit(cache=True)
def _covers(edges, owns, x, y):  # pragma: no cover - compiled
    """Whether a place lies in a triangle; on an edge in one of its two triangles."""
    area = 0.0
    for k in range(3):
        e = edges[k, 0] * x + (edges[k, 1] * y + edges[k, 2])
        if e < 0 or (e == 0 and not owns[k]):
            return False
        area += e
    return area > 0


@njit(cache=True)
def _inverse_depth(faces, f, inverse_z, edges, x, y, weight):  # pragma: no cover - compiled
    """Of a triangle on the ray of a place in it; ``weight`` (3,) gets its corners' shares there."""
    total = area = 0.0
    for k in range(3):
        e = edges[k, 0] * x + (edges[k, 1] * y + edges[k, 2])
        weight[k] = e * inverse_z[faces[f, k]]
        area += e
        total += weight[k]
    for k in range(3):
        weight[k] /= total
    return total / area


@njit(cache=True)
def count_crossings(faces, u, v, count):  # pragma: no cover - compiled
    """How many triangles each pixel's ray crosses, into ``count`` (S, S) int32; ``u``, ``v`` in px."""
    edges, owns = np.empty((3, 3)), np.empty(3, np.bool_)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(count))
        if x0 >= x1 or y0 >= y1 or _triangle(faces, f, u, v, edges, owns) == 0:
            continue
        for py in range(y0, y1):
            for px in range(x0, x1):
                if _covers(edges, owns, px + 0.5, py + 0.5):
                    count[py, px] += 1


@njit(cache=True)
def list_crossings(faces, u, v, inverse_z, start, fill, depth, face, facing, weights):  # pragma: no cover - compiled
    """The crossings themselves, in each pixel's part of the lists that begins at ``start`` (S, S), nearest first."""
    edges, owns, weight = np.empty((3, 3)), np.empty(3, np.bool_), np.empty(3)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(start))
        if x0 >= x1 or y0 >= y1:
            continue
        area = _triangle(faces, f, u, v, edges, owns)
        if area == 0:
            continue
        for py in range(y0, y1):
            for px in range(x0, x1):
                if not _covers(edges, owns, px + 0.5, py + 0.5):
                    continue
                z = 1 / _inverse_depth(faces, f, inverse_z, edges, px + 0.5, py + 0.5, weight)
                k = start[py, px] + fill[py, px]
                while k > start[py, px] and depth[k - 1] > z:
                    depth[k], face[k], facing[k] = depth[k - 1], face[k - 1], facing[k - 1]
                    for corner in range(3):
                        weights[k, corner] = weights[k - 1, corner]
                    k -= 1
                # y points down: what faces the viewer turns against the clock, its area is below 0.
                depth[k], face[k], facing[k] = z, f, area < 0
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
    """The nearest crossing of each pixel's ray; ``face`` begins at -1, what is met nowhere stays as it is."""
    edges, owns, weight = np.empty((3, 3)), np.empty(3, np.bool_), np.empty(3)
    closest = np.zeros(depth.shape)
    for f in range(len(faces)):
        x0, x1, y0, y1 = _pixels(faces, f, u, v, len(depth))
        if x0 >= x1 or y0 >= y1:
            continue
        area = abs(_triangle(faces, f, u, v, edges, owns))
        if area == 0:
            continue
        # Inverse depth is linear over the picture, so what is hidden is told without a division.
        p = q = r = 0.0
        for k in range(3):
            share = inverse_z[faces[f, k]] / area
            p, q, r = p + edges[k, 0] * share, q + edges[k, 1] * share, r + edges[k, 2] * share
        for py in range(y0, y1):
            y = py + 0.5
            for px in range(x0, x1):
                near = p * (px + 0.5) + (q * y + r)
                if near > closest[py, px] and _covers(edges, owns, px + 0.5, y):
                    closest[py, px], face[py, px] = near, f
    for py in range(len(depth)):
        for px in range(len(depth)):
            f = face[py, px]
            if f < 0:
                continue
            _triangle(faces, f, u, v, edges, owns)
            depth[py, px] = 1 / _inverse_depth(faces, f, inverse_z, edges, px + 0.5, py + 0.5, weight)
            for corner in range(3):
                weights[py, px, corner] = weight[corner]
