"""Signed distance of every pixel to the outline of a silhouette, to a fraction of a pixel, compiled by Numba."""

import numba
import numpy as np

LEVEL = 0.5
"""Alpha at the outline."""


@numba.njit(cache=True, nogil=True)
def signed_distance(alpha: np.ndarray) -> np.ndarray:
    """Distance (H, W) float32 in pixels from each pixel centre to the alpha = 1/2 outline, negative inside.

    The outline is made of straight segments in the squares between four pixel centres (marching squares), so it runs
    through the anti-aliased edge. Where alpha reaches the picture's border nothing is outline: what lies outside is
    not known. A picture without outline is everywhere infinitely far from it.

    Nearest segments are handed on from pixel to pixel (Danielsson, "Euclidean distance mapping", 1980).
    """
    height, width = alpha.shape
    segments = _segments(alpha)
    nearest = np.full((height, width), -1, np.int32)
    distance = np.full((height, width), np.inf, np.float32)
    for s in range(len(segments)):
        x0, y0 = min(segments[s, 0], segments[s, 2]), min(segments[s, 1], segments[s, 3])
        for y in range(int(y0), min(int(y0) + 2, height)):
            for x in range(int(x0), min(int(x0) + 2, width)):
                _offer(segments, s, x, y, nearest, distance)
    for _ in range(2):
        for y in range(height):
            for x in range(width):
                _hand_on(segments, x, y, -1, nearest, distance)
            for x in range(width - 2, -1, -1):
                if nearest[y, x + 1] >= 0:
                    _offer(segments, nearest[y, x + 1], x, y, nearest, distance)
        for y in range(height - 1, -1, -1):
            for x in range(width - 1, -1, -1):
                _hand_on(segments, x, y, 1, nearest, distance)
            for x in range(1, width):
                if nearest[y, x - 1] >= 0:
                    _offer(segments, nearest[y, x - 1], x, y, nearest, distance)
    for y in range(height):
        for x in range(width):
            if alpha[y, x] >= LEVEL:
                distance[y, x] = -distance[y, x]
    return distance


@numba.njit(cache=True, nogil=True)
def _hand_on(segments, x, y, side, nearest, distance):
    """Offer pixel (x, y) the segments of its neighbours in the row at ``side``, and of the one before it."""
    height, width = nearest.shape
    if 0 <= y + side < height:
        for dx in range(-1, 2):
            if 0 <= x + dx < width and nearest[y + side, x + dx] >= 0:
                _offer(segments, nearest[y + side, x + dx], x, y, nearest, distance)
    if 0 <= x + side < width and nearest[y, x + side] >= 0:
        _offer(segments, nearest[y, x + side], x, y, nearest, distance)


@numba.njit(cache=True, nogil=True)
def _offer(segments, s, x, y, nearest, distance):
    """Take segment ``s`` as the nearest of pixel (x, y) if it is nearer than the one known."""
    if nearest[y, x] == s:
        return
    ax, ay, bx, by = segments[s, 0], segments[s, 1], segments[s, 2], segments[s, 3]
    dx, dy = bx - ax, by - ay
    along = ((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-12)
    along = min(max(along, 0.0), 1.0)
    found = np.sqrt((ax + along * dx - x) ** 2 + (ay + along * dy - y) ** 2)
    if found < distance[y, x]:
        distance[y, x], nearest[y, x] = found, s


@numba.njit(cache=True, nogil=True)
def _segments(alpha):
    """Outline segments (S, 4) as x0, y0, x1, y1 in units of pixel indices (marching squares)."""
    height, width = alpha.shape
    found = np.empty((2 * height * width, 4), np.float64)
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
                count += 1
    return found[:count].copy()
