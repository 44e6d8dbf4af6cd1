"""Where rays meet the surface of a field, compiled by Numba. Everything is in voxels, see `rays`."""

import numba
import numpy as np

from zero123pp.recon.ops.field.rays import DIRECTION, FAR, NEAR, ORIGIN

_STEP, _SKIP_SHARE = 0.4, 0.6
"""Shortest step along a ray, voxels, and the share of the free distance that is skipped."""


@numba.njit(cache=True, nogil=True)
def first_crossings(sdf, rays):
    """Distances (R,) float32 along rays (R, RAY_SIZE) at which ``sdf`` (n, n, n) first falls to 0.

    -1 where it never does between a ray's NEAR and FAR.
    """
    found = np.full(len(rays), -1, np.float32)
    top, last = np.float32(len(sdf) - 1), len(sdf) - 2
    zero, one = np.float32(0), np.float32(1)
    for r in range(len(rays)):
        t, far = rays[r, NEAR], rays[r, FAR]
        before, value_before = t, zero
        while t <= far:
            x = min(max(rays[r, ORIGIN] + t * rays[r, DIRECTION], zero), top)
            y = min(max(rays[r, ORIGIN + 1] + t * rays[r, DIRECTION + 1], zero), top)
            z = min(max(rays[r, ORIGIN + 2] + t * rays[r, DIRECTION + 2], zero), top)
            i, j, k = min(int(x), last), min(int(y), last), min(int(z), last)
            u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            f00 = sdf[i, j, k] + w * (sdf[i, j, k + 1] - sdf[i, j, k])
            f01 = sdf[i, j + 1, k] + w * (sdf[i, j + 1, k + 1] - sdf[i, j + 1, k])
            f10 = sdf[i + 1, j, k] + w * (sdf[i + 1, j, k + 1] - sdf[i + 1, j, k])
            f11 = sdf[i + 1, j + 1, k] + w * (sdf[i + 1, j + 1, k + 1] - sdf[i + 1, j + 1, k])
            f0, f1 = f00 + v * (f01 - f00), f10 + v * (f11 - f10)
            f = f0 + u * (f1 - f0)
            if f <= zero:
                share = value_before / max(value_before - f, np.float32(1e-12))
                found[r] = before + (t - before) * min(max(share, zero), one)
                break
            before, value_before = t, f
            t += max(np.float32(_STEP), np.float32(_SKIP_SHARE) * f)
    return found
