"""The loops over pixels and voxels of the one-view solid, compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def relax(depth, slope_x, link_x, slope_y, link_y, weight, sweeps):
    """Jacobi's sweeps for `relief.with_relief`.

    Args:
        depth: (H, W) float32, given and start.
        slope_x: (H, W) wanted depth of the right neighbour less that of the pixel.
        link_x: (H, W) 1 where the pixel and its right neighbour are linked, else 0.
        slope_y: (H, W) likewise of the neighbour below.
        link_y: (H, W).
        weight: of the given depth.
        sweeps: how many.
    """
    height, width = depth.shape
    now, new = depth.copy(), depth.copy()
    for _ in range(sweeps):
        for y in range(height):
            for x in range(width):
                total, count = weight * depth[y, x], weight
                if link_x[y, x] > 0:
                    total += now[y, x + 1] - slope_x[y, x]
                    count += np.float32(1)
                if x > 0 and link_x[y, x - 1] > 0:
                    total += now[y, x - 1] + slope_x[y, x - 1]
                    count += np.float32(1)
                if link_y[y, x] > 0:
                    total += now[y + 1, x] - slope_y[y, x]
                    count += np.float32(1)
                if y > 0 and link_y[y - 1, x] > 0:
                    total += now[y - 1, x] + slope_y[y - 1, x]
                    count += np.float32(1)
                new[y, x] = total / count
        now, new = new, now
    return now


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
