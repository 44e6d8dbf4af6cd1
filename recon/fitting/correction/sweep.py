"""A plane sweep along the lines of sight: how far the colours of other views are from a view's, nearer and farther.

Where the surface is right, views that see it show the same there; the depth at which they do is where it should be
(Collins 1996). What the network makes of it depends on its neighbourhood, as in learned multi-view stereo.
"""

import numba
import numpy as np

from zero123pp.recon.fitting.seen import transformed

OFFSETS = np.array([-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3], np.float32)
"""Voxels of depth from the surface at which colours are compared."""
_HIDDEN = 3.0
"""Voxels by which another view's surface lies nearer to it than a place that it does not see."""
_FACING = 0.1
"""Cosine between surface and another view below which that view is not asked."""
_ON_OBJECT = 0.5
"""Alpha of pixels that are looked at."""


@numba.njit(cache=True, nogil=True)
def add_changes(
    rgba, depth, normals, to_world, other_rgba, other_depth, to_other, other_whole, offsets, step, total, say
):  # fmt: skip
    """Add to ``total`` (h, w, O) how far another view's colours are from this one's, 0 to 1, and its ``say`` in it.

    Args:
        rgba: (h, w, 4) premultiplied, and so is the other's.
        depth: (h, w) voxels, 0 where nothing is; the other's as well.
        normals: (h, w, 3) unit, in world axes.
        to_world: (3, 4) takes (x z, y z, z, 1), pixels of the whole size and depth, to the world in voxels.
        other_rgba: (h', w', 4).
        other_depth: (h', w').
        to_other: (3, 4) from the world to pixels of the whole size and depth.
        other_whole: left, top, right and bottom of the other view, of which its picture is a part, in its pixels of
            the whole size. Beside the picture nothing is; beside the view nothing is known.
        offsets: (O,) voxels of depth.
        step: pixels of the whole size to one of these pictures.
        total: (h, w, O) changed.
        say: (h, w, O) changed.
    """
    height, width = other_depth.shape
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            near, alpha = depth[i, j], rgba[i, j, 3]
            if near <= 0 or alpha < _ON_OBJECT:
                continue
            n0, n1, n2 = normals[i, j, 0], normals[i, j, 1], normals[i, j, 2]
            facing = -(n0 * to_other[2, 0] + n1 * to_other[2, 1] + n2 * to_other[2, 2])
            if facing < _FACING:
                continue
            share = np.float32(facing)
            for at in range(len(offsets)):
                z = near + offsets[at]
                x, y, w = transformed(to_world, step * (j + 0.5) * z, step * (i + 0.5) * z, z)
                u, v, far = transformed(to_other, x, y, w)
                if far <= 0:
                    continue
                u, v = u / far, v / far
                if u < other_whole[0] or v < other_whole[1] or u >= other_whole[2] or v >= other_whole[3]:
                    continue
                u, v = u / step - 0.5, v / step - 0.5
                if u < 0 or v < 0 or u >= width - 1 or v >= height - 1:
                    total[i, j, at] += share  # beside the object
                    say[i, j, at] += share
                    continue
                met = other_depth[int(v + 0.5), int(u + 0.5)]
                if 0 < met < far - _HIDDEN:
                    continue
                column, row = int(u), int(v)
                right, down = u - column, v - row
                change = 0.0
                there = _between(other_rgba, row, column, down, right, 3)
                for channel in range(3):
                    color = _between(other_rgba, row, column, down, right, channel)
                    change += abs(color - rgba[i, j, channel] / alpha * there)
                total[i, j, at] += share * np.float32(min(change + 1 - there, 1.0))
                say[i, j, at] += share


@numba.njit(cache=True, nogil=True)
def _between(picture, row, column, down, right, channel):
    """A channel of a picture, bilinear, ``down`` and ``right`` (0 to 1) of a pixel."""
    above = (1 - right) * picture[row, column, channel] + right * picture[row, column + 1, channel]
    below = (1 - right) * picture[row + 1, column, channel] + right * picture[row + 1, column + 1, channel]
    return (1 - down) * above + down * below
