"""Signed distance of every pixel to the outline of a silhouette, to a fraction of a pixel, compiled by Numba."""

import weakref

import numba
import numpy as np

from zero123pp.recon.ops import kernel_input
from zero123pp.types import read_only

LEVEL = 0.5
"""Alpha at the outline."""

_FAR = 1e30  # a squared distance beyond all others; infinities do not go with fastmath


def signed_distance(alpha: np.ndarray) -> np.ndarray:
    """Distance (H, W) float32 in pixels from each pixel centre to the alpha = 1/2 outline, negative inside.

    The outline is made of straight segments in the squares between four pixel centres (marching squares), so it runs
    through the anti-aliased edge. Where alpha reaches the picture's border nothing is outline: what lies outside is
    not known. A picture without outline is everywhere infinitely far from it.

    Nearest segments are handed on from pixel to pixel (Danielsson, "Euclidean distance mapping", 1980).
    """
    return _signed_distance(kernel_input(alpha, np.float32))


def distance_once(alpha: np.ndarray) -> np.ndarray:
    """`signed_distance` of a silhouette that nobody can change, read-only; worked out once as long as that lives.

    Several stages ask for those of the same views. Of one that can be changed a copy is measured, each time.
    """
    alpha = read_only(alpha)
    known = _KNOWN.get(id(alpha))
    if known is None:
        distance = read_only(signed_distance(alpha))
        # Ids come again when arrays are gone, so what is known goes with them.
        known = weakref.ref(alpha, lambda gone, key=id(alpha): _KNOWN.pop(key, None)), distance
        _KNOWN[id(alpha)] = known
    return known[1]


_KNOWN: dict[int, tuple[weakref.ref, np.ndarray]] = {}
"""Of silhouettes that are in use, by their arrays' ids."""


@numba.njit(cache=True, nogil=True)
def _signed_distance(alpha):
    height, width = alpha.shape
    segments = _segments(alpha)
    nearest, squared = np.empty((height, width), np.int32), np.empty((height, width), np.float32)
    nearest[:], squared[:] = -1, _FAR
    for s in range(len(segments)):
        x0, y0 = int(min(segments[s, 0], segments[s, 2])), int(min(segments[s, 1], segments[s, 3]))
        for y in range(y0, min(y0 + 2, height)):
            for x in range(x0, min(x0 + 2, width)):
                _offer(segments, s, x, y, nearest, squared)
    for y in range(height):
        _sweep_row(segments, y, y - 1, nearest, squared)
    for y in range(height - 1, -1, -1):
        _sweep_row(segments, y, y + 1, nearest, squared)
    for y in range(height):
        for x in range(width):
            distance = np.sqrt(squared[y, x]) if nearest[y, x] >= 0 else np.float32(np.inf)
            squared[y, x] = -distance if alpha[y, x] >= LEVEL else distance
    return squared


@numba.njit(cache=True, nogil=True)
def _sweep_row(segments, y, before, nearest, squared):
    """Offer a row the segments of the row ``before`` it, then hand them on along the row, both ways."""
    height, width = nearest.shape
    if 0 <= before < height:
        for x in range(width):
            for neighbour in range(max(x - 1, 0), min(x + 2, width)):
                _offer(segments, nearest[before, neighbour], x, y, nearest, squared)
    for x in range(1, width):
        _offer(segments, nearest[y, x - 1], x, y, nearest, squared)
    for x in range(width - 2, -1, -1):
        _offer(segments, nearest[y, x + 1], x, y, nearest, squared)


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def _offer(segments, s, x, y, nearest, squared):
    """Take segment ``s`` (-1: none) as the nearest of pixel (x, y) if it is nearer than the one known."""
    if s < 0 or nearest[y, x] == s:
        return
    ax, ay, dx, dy = segments[s, 0], segments[s, 1], segments[s, 2] - segments[s, 0], segments[s, 3] - segments[s, 1]
    px, py = np.float32(x) - ax, np.float32(y) - ay
    along = min(max((px * dx + py * dy) * segments[s, 4], np.float32(0)), np.float32(1))
    px, py = px - along * dx, py - along * dy
    found = px * px + py * py
    if found < squared[y, x]:
        squared[y, x], nearest[y, x] = found, s


@numba.njit(cache=True, nogil=True)
def _segments(alpha):
    """Outline segments (S, 5) as x0, y0, x1, y1 in units of pixel indices and 1 / length^2 (marching squares)."""
    height, width = alpha.shape
    found = np.empty((2 * height * width, 5), np.float32)
    count = 0
    cross = np.empty((4, 2), np.float64)
    for y in range(height - 1):
        for x in range(width - 1):
            a, b = alpha[y, x] - LEVEL, alpha[y, x + 1] - LEVEL
            c, d = alpha[y + 1, x + 1] - LEVEL, alpha[y + 1, x] - LEVEL
            hits = 0
            if (a >= 0) != (b >= 0):
                cross[hits, 0], cross[hits, 1] = x + a / (a - b), y
                hits += 1
            if (b >= 0) != (c >= 0):
                cross[hits, 0], cross[hits, 1] = x + 1, y + b / (b - c)
                hits += 1
            if (c >= 0) != (d >= 0):
                cross[hits, 0], cross[hits, 1] = x + d / (d - c), y + 1
                hits += 1
            if (d >= 0) != (a >= 0):
                cross[hits, 0], cross[hits, 1] = x, y + a / (a - d)
                hits += 1
            if hits == 4 and (a >= 0) == (a + b + c + d >= 0):
                # Saddle whose centre is on the side of a: the cuts go round b and d, not round a and c.
                pairs = ((0, 1), (2, 3))
            else:
                pairs = ((0, 1), (2, 3)) if hits < 4 else ((3, 0), (1, 2))
            for p in range(hits // 2):
                i, j = pairs[p]
                found[count, 0], found[count, 1] = cross[i, 0], cross[i, 1]
                found[count, 2], found[count, 3] = cross[j, 0], cross[j, 1]
                length2 = (cross[i, 0] - cross[j, 0]) ** 2 + (cross[i, 1] - cross[j, 1]) ** 2
                found[count, 4] = 1 / max(length2, 1e-12)
                count += 1
    return found[:count].copy()
