"""Look-ups of the shape prior in pictures and grids, compiled by Numba; one thread, without the interpreter's lock.

They mean exactly what `zero123pp.recon.prior.look_ups` and `grid_sample` do.
"""

import numba
import numpy as np

LEAST_DEVIATION = 1e-3
"""Under the root of the variance, whose slope there is infinite."""


NEAREST_DEPTH = 1e-3
"""Points nearer to a camera than this, in units of its projection matrix, are looked up as if they were so far."""


@numba.njit(cache=True, nogil=True, inline="always")
def _projected(m, p):
    """Where a point lies in a picture, u and v in [-1, 1] over it, and its depth in units of the matrix."""
    w = max(m[2, 0] * p[0] + m[2, 1] * p[1] + m[2, 2] * p[2] + m[2, 3], np.float32(NEAREST_DEPTH))
    u = (m[0, 0] * p[0] + m[0, 1] * p[1] + m[0, 2] * p[2] + m[0, 3]) / w
    v = (m[1, 0] * p[0] + m[1, 1] * p[1] + m[1, 2] * p[2] + m[1, 3]) / w
    return u, v, w


def statistics(maps: np.ndarray, matrices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean, deviation and maximum over the pictures of what they show at points; 0 outside of a picture.

    Args:
        maps: (V, H, W, C) float32.
        matrices: (V, 3, 4) homogeneous points to (u w, v w, w), u and v in [-1, 1] over the picture.
        points: (N, 3) float32.

    Returns:
        (N, 3 C) float32.
    """
    return _statistics(maps, np.ascontiguousarray(matrices, np.float32), np.ascontiguousarray(points, np.float32))


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _statistics(maps, matrices, points):
    views, height, width, channels = maps.shape
    one, zero, half = np.float32(1), np.float32(0), np.float32(0.5)
    result = np.empty((len(points), 3 * channels), np.float32)
    value, total = np.empty(channels, np.float32), np.empty(channels, np.float32)
    squares, largest = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for n in range(len(points)):
        p = points[n]
        total[:] = zero
        squares[:] = zero
        largest[:] = np.float32(-1e30)
        for view in range(views):
            m = matrices[view]
            u, v, _ = _projected(m, p)
            x, y = ((u + one) * width - one) * half, ((v + one) * height - one) * half
            value[:] = zero
            if x > -one and y > -one and x < width and y < height:
                left, top = int(np.floor(x)), int(np.floor(y))
                fx, fy = x - np.float32(left), y - np.float32(top)
                for dy in range(2):
                    for dx in range(2):
                        row, column = top + dy, left + dx
                        if 0 <= row < height and 0 <= column < width:
                            weight = (fx if dx else one - fx) * (fy if dy else one - fy)
                            source = maps[view, row, column]
                            for c in range(channels):
                                value[c] += weight * source[c]
            for c in range(channels):
                total[c] += value[c]
                squares[c] += value[c] * value[c]
                largest[c] = max(largest[c], value[c])
        for c in range(channels):
            mean = total[c] / np.float32(views)
            variance = squares[c] / np.float32(views) - mean * mean
            result[n, c] = mean
            result[n, channels + c] = max(np.sqrt(max(variance, zero)), np.float32(LEAST_DEVIATION))
            result[n, 2 * channels + c] = largest[c]
    return result


def outline_distances(outlines: np.ndarray, matrices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Signed distances of points from the cones of the outlines: the largest over the pictures, and the second.

    Args:
        outlines: (V, S, S) float32, of `framing.picture_outline`.
        matrices: as for `statistics`.
        points: (N, 3) float32.

    Returns:
        (N, 2) float32, half sides of the cube.
    """
    matrices = np.ascontiguousarray(matrices, np.float32)
    across, ahead = matrices[:, 0, :3], matrices[:, 2, :3]
    across = across - (across * ahead).sum(-1, keepdims=True) / (ahead**2).sum(-1, keepdims=True) * ahead
    scale = (1 / np.linalg.norm(across, axis=-1)).astype(np.float32)
    return _outline_distances(outlines, matrices, scale, np.ascontiguousarray(points, np.float32))


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _outline_distances(outlines, matrices, scale, points):
    views, height, width = outlines.shape
    one, half = np.float32(1), np.float32(0.5)
    result = np.empty((len(points), 2), np.float32)
    for n in range(len(points)):
        p = points[n]
        largest, second = np.float32(-1e30), np.float32(-1e30)
        for view in range(views):
            m = matrices[view]
            u, v, w = _projected(m, p)
            x = min(max(((u + one) * width - one) * half, np.float32(0)), np.float32(width - 1))
            y = min(max(((v + one) * height - one) * half, np.float32(0)), np.float32(height - 1))
            left, top = min(int(x), width - 2), min(int(y), height - 2)
            fx, fy = x - np.float32(left), y - np.float32(top)
            picture = outlines[view]
            upper = picture[top, left] + fx * (picture[top, left + 1] - picture[top, left])
            lower = picture[top + 1, left] + fx * (picture[top + 1, left + 1] - picture[top + 1, left])
            distance = (upper + fy * (lower - upper)) * w * scale[view]
            if distance > largest:
                second, largest = largest, distance
            else:
                second = max(second, distance)
        result[n, 0] = largest
        result[n, 1] = second if views > 1 else largest
    return result


def trilinear(volume: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Features (N, C) at points (N, 3) in [-1, 1]^3 of a cell-centred volume (G, G, G, C); its edge goes on outside."""
    return _trilinear(volume, np.ascontiguousarray(points, np.float32))


@numba.njit(cache=True, nogil=True)
def _trilinear(volume, points):
    size, channels = volume.shape[0], volume.shape[3]
    result = np.zeros((len(points), channels), np.float32)
    low, fraction = np.empty(3, np.int64), np.empty(3, np.float32)
    for n in range(len(points)):
        for axis in range(3):
            place = min(max(((points[n, axis] + 1) * size - 1) / 2, 0), size - 1)
            low[axis] = min(int(place), size - 2)
            fraction[axis] = place - low[axis]
        for corner in range(8):
            weight = np.float32(1)
            i, j, k = corner & 1, (corner >> 1) & 1, corner >> 2
            weight *= fraction[0] if i else 1 - fraction[0]
            weight *= fraction[1] if j else 1 - fraction[1]
            weight *= fraction[2] if k else 1 - fraction[2]
            source = volume[low[0] + i, low[1] + j, low[2] + k]
            for c in range(channels):
                result[n, c] += weight * source[c]
    return result
