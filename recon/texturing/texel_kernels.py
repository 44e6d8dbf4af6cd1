"""Loops over texels and pixels, compiled by Numba; import this module only where they run."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def look(
    position: np.ndarray,
    normal: np.ndarray,
    pose: np.ndarray,
    intrinsics: np.ndarray,
    picture: np.ndarray,
    depth: np.ndarray,
    resolution: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At n points: trust (n,), cosine x relative resolution (n,), and the other channels of ``picture`` (n, C - 1)."""
    height, width, channels = picture.shape
    scale_x, scale_y = depth.shape[1] / width, depth.shape[0] / height
    trusts, view_score = np.empty(len(position), np.float32), np.empty(len(position), np.float32)
    values = np.empty((len(position), channels - 1), np.float32)
    trusts[:], view_score[:], values[:] = 0, 0, 0
    for n in range(len(position)):
        dx, dy, dz = position[n, 0] - pose[0, 3], position[n, 1] - pose[1, 3], position[n, 2] - pose[2, 3]
        z = dx * pose[0, 2] + dy * pose[1, 2] + dz * pose[2, 2]
        if z <= 1e-6:
            continue
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        cosine = -(dx * normal[n, 0] + dy * normal[n, 1] + dz * normal[n, 2]) / length
        if cosine <= 0:
            continue
        x = (dx * pose[0, 0] + dy * pose[1, 0] + dz * pose[2, 0]) / z * intrinsics[0] + intrinsics[2]
        y = (dx * pose[0, 1] + dy * pose[1, 1] + dz * pose[2, 1]) / z * intrinsics[1] + intrinsics[3]
        if not (0 <= x < width and 0 <= y < height):
            continue
        front = depth[int(y * scale_y), int(x * scale_x)]
        # Half a depth pixel aside, a slanted surface is nearer by this much times the tangent of the slant.
        footprint = z / (intrinsics[0] * scale_x)
        slant = min(np.sqrt(1 - min(cosine * cosine, 1.0)) / cosine, 5.0)
        if front > 0 and z > front + footprint * (2 + 1.5 * slant):
            continue
        left, top = min(max(x - 0.5, 0.0), width - 1.0), min(max(y - 0.5, 0.0), height - 1.0)
        x0, y0 = int(left), int(top)
        x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
        fx, fy = left - x0, top - y0
        w00, w01, w10, w11 = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
        last = channels - 1
        trust = picture[y0, x0, last] * w00 + picture[y0, x1, last] * w01
        trust += picture[y1, x0, last] * w10 + picture[y1, x1, last] * w11
        if trust <= 0:
            continue
        trusts[n] = trust
        view_score[n] = cosine * intrinsics[0] / (z * resolution)
        for c in range(last):
            upper = picture[y0, x0, c] * w00 + picture[y0, x1, c] * w01
            values[n, c] = upper + picture[y1, x0, c] * w10 + picture[y1, x1, c] * w11
    return trusts, view_score, values


@numba.njit(cache=True, nogil=True)
def nearest_known(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column (H, W) of a nearest known pixel by two sweeps (Danielsson, "Euclidean distance mapping", 1980)."""
    height, width = known.shape
    row, column = np.empty((height, width), np.int32), np.empty((height, width), np.int32)
    distance = np.empty((height, width), np.int64)
    row[:], column[:], distance[:] = -1, -1, 1 << 40
    for y in range(height):
        for x in range(width):
            if known[y, x]:
                row[y, x], column[y, x], distance[y, x] = y, x, 0
    for sweep in range(2):
        down = 1 if sweep == 0 else -1
        for step_y in range(height):
            y = step_y if sweep == 0 else height - 1 - step_y
            for right in (1, -1):
                for step_x in range(width):
                    x = step_x if right == 1 else width - 1 - step_x
                    for dy, dx in ((0, right), (down, 0), (down, right), (down, -right)):
                        from_y, from_x = y - dy, x - dx
                        if 0 <= from_y < height and 0 <= from_x < width and row[from_y, from_x] >= 0:
                            r, c = row[from_y, from_x], column[from_y, from_x]
                            d = (np.int64(r) - y) ** 2 + (np.int64(c) - x) ** 2
                            if d < distance[y, x]:
                                row[y, x], column[y, x], distance[y, x] = r, c, d
    return row, column
