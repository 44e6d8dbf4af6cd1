"""The loops over voxels of the one-view solid, compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def interval_field(front, back, hollow_front, hollow_back, front_cosine, back_cosine, edge, first, step, count, most):
    """Distances (H, W, K), negative inside, of what lies between two depth maps and not in a hollow, cut off by edges.

    Args:
        front: (H, W) depth where rays enter.
        back: (H, W) where they leave.
        hollow_front: (H, W) where a hollow begins on the ray; behind ``hollow_back`` where there is none.
        hollow_back: (H, W) where it ends.
        front_cosine: (H, W) distance over difference of depth, at the front.
        back_cosine: (H, W) at the back.
        edge: (H, W) distance from the outline, negative inside.
        first: depth of the first layer.
        step: between layers; the unit of ``most``.
        count: K.
        most: distances are cut off at this many steps; they come out in steps.
    """
    height, width = front.shape
    field = np.empty((height, width, count), np.float32)
    for y in range(height):
        for x in range(width):
            outline = min(edge[y, x] / step, most)
            if outline >= most:
                field[y, x] = most
                continue
            begins, ends = hollow_front[y, x], hollow_back[y, x]
            cosine = min(front_cosine[y, x], back_cosine[y, x])
            for k in range(count):
                z = first + k * step
                value = max((front[y, x] - z) * front_cosine[y, x], (z - back[y, x]) * back_cosine[y, x])
                if begins < ends:
                    value = max(value, min(z - begins, ends - z) * cosine)
                value = max(value / step, outline)
                field[y, x, k] = min(max(value, -most), most)
    return field


@numba.njit(cache=True, nogil=True)
def mirrored_mean(field, front, first, step, normal, offset, tan_half_fov, hidden_trust, filling):
    """Weighted mean (N, N, K) of distances and of those at each place's mirror image.

    A place counts 1 in front of the visible surface and up to a little behind it, ``hidden_trust`` farther behind, and
    where the mirror image lies outside of the crop it does not count.

    Args:
        field: (N, N, K) distances in steps.
        front: (N, N) depth of the visible surface.
        first: depth of the first layer.
        step: between layers.
        normal: (3,) of the mirror.
        offset: of the mirror.
        tan_half_fov: of the crop.
        hidden_trust: see above.
        filling: steps; what is hidden, and solid on one side only, is solid on both.
    """
    size, _, count = field.shape
    result = field.copy()
    for y in range(size):
        for x in range(size):
            u, v = (x + np.float32(0.5)) * step - 1, (y + np.float32(0.5)) * step - 1
            for k in range(count):
                z = first + k * step
                wide = 1 + z * tan_half_fov
                px, py = u * wide, v * wide
                away = 2 * (px * normal[0] + py * normal[1] + z * normal[2] - offset)
                mx, my, mz = px - away * normal[0], py - away * normal[1], z - away * normal[2]
                wide = 1 + mz * tan_half_fov
                column, row = (mx / wide + 1) / step - np.float32(0.5), (my / wide + 1) / step - np.float32(0.5)
                layer = (mz - first) / step
                if not (0 <= column < size - 1 and 0 <= row < size - 1 and 0 <= layer < count - 1):
                    continue
                i, j, below = int(row), int(column), int(layer)
                a, b, c = row - i, column - j, layer - below
                there = np.float32(0)
                for di in range(2):
                    for dj in range(2):
                        weight = (a if di else 1 - a) * (b if dj else 1 - b)
                        line = field[i + di, j + dj]
                        there += weight * ((1 - c) * line[below] + c * line[below + 1])
                behind = (mz - front[int(row + 0.5), int(column + 0.5)]) / step
                trust = hidden_trust + (1 - hidden_trust) * min(max((4 - behind) / 2, np.float32(0)), np.float32(1))
                behind = (z - front[y, x]) / step
                own = hidden_trust + (1 - hidden_trust) * min(max((4 - behind) / 2, np.float32(0)), np.float32(1))
                trust *= (1 - own) / (1 - hidden_trust)
                mean = (own * field[y, x, k] + trust * there) / (own + trust)
                result[y, x, k] = mean - filling * (1 - own) if abs(mean) < filling else mean
    return result


@numba.njit(cache=True, nogil=True)
def body_distances(count, size, first, step, tan_half_fov, up, foot, heights, radii):
    """Distances (N, N, K) in steps from a body of revolution, negative inside; those in height and radius, the larger.

    Args:
        count: layers K.
        size: rays N along a side.
        first: depth of the first layer.
        step: between layers.
        tan_half_fov: of the crop.
        up: (3,) unit, direction of the axis.
        foot: (3,) a point of the axis.
        heights: (B,) evenly spaced.
        radii: (B,).
    """
    result = np.empty((size, size, count), np.float32)
    spacing = heights[1] - heights[0]
    last = len(heights) - 1
    for y in range(size):
        for x in range(size):
            u, v = (x + np.float32(0.5)) * step - 1, (y + np.float32(0.5)) * step - 1
            for k in range(count):
                z = first + k * step
                wide = 1 + z * tan_half_fov
                px, py, pz = u * wide - foot[0], v * wide - foot[1], z - foot[2]
                height = px * up[0] + py * up[1] + pz * up[2]
                squared = px * px + py * py + pz * pz - height * height
                at = min(max((height - heights[0]) / spacing, np.float32(0)), np.float32(last) - np.float32(1e-3))
                i = int(at)
                radius = radii[i] + (at - i) * (radii[i + 1] - radii[i])
                over = max(height - heights[last] - spacing / 2, heights[0] - spacing / 2 - height)
                result[y, x, k] = max(np.sqrt(max(squared, np.float32(0))) - radius, over) / step
    return result
