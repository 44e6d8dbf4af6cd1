"""The surface is moved to where the views say that it is, all of it at once."""

from collections.abc import Sequence

import numba
import numpy as np

from zero123pp.recon.fitting.flats import Look
from zero123pp.recon.fitting.seen import transformed

_FARTHEST, _BAND = 3.0, 4.0
"""Voxels: the farthest that the surface moves at once, and from it, in which nodes move with it."""
_SLANTED = 0.15
"""Cosine between surface and view below which a view has no say."""
_LEAST_SAY = 0.05
"""Views' say in a node, as a sum of squared cosines times confidences, below which it moves less."""
_SMOOTHNESS = 1.0
"""Standard deviation, voxels, over which nodes share what they are told: where one view stops to see a surface that
others say lies elsewhere, as at rims, it would get a step."""


def moved(look: Look, deeper: Sequence[np.ndarray]) -> np.ndarray:
    """Distances (n, n, n), voxels, of the surface that was looked at, moved by what its pictures say in the mean.

    Args:
        look: at the surface.
        deeper: for each picture how much farther away (H, W) from the camera it says that the surface is, in voxels of
            depth.
    """
    from scipy.ndimage import gaussian_filter

    def inward(own: int) -> tuple[np.ndarray, np.ndarray]:
        picture, seen = look.level.pictures[own], look.seen[own]
        cosine = np.clip(picture.facing(seen.raw), 0, 1)
        share = np.where((seen.depth > 0) & picture.solid & (cosine > _SLANTED), cosine**2, 0)
        share = (picture.confidence * share).astype(np.float32)
        ahead = deeper[own] * picture.lengths(seen.depth.shape)
        return np.clip(ahead * cosine, -_FARTHEST, _FARTHEST).astype(np.float32), share

    said = list(look.level.pool.map(inward, range(len(look.level.pictures))))

    total, say = (np.zeros(look.sdf.shape, np.float32) for _ in range(2))

    def plane(index: int) -> None:
        for picture, seen, (steps, share) in zip(look.level.pictures, look.seen, said):
            _gather(
                index, look.sdf[index], picture.world_to_cam, seen.depth, steps, share, total[index], say[index]
            )  # fmt: skip

    list(look.level.pool.map(plane, range(len(look.sdf))))
    total, say = look.level.pool.map(lambda told: gaussian_filter(told, _SMOOTHNESS, truncate=2.5), (total, say))
    return look.sdf + np.where(np.abs(look.sdf) <= _BAND, total / np.maximum(say, _LEAST_SAY), 0)


@numba.njit(cache=True, nogil=True)
def _gather(i, sdf, world_to_cam, depth, inward, share, total, say):
    """Add to ``total`` (n, n) what a view says how far the nodes of a plane lie off, and to ``say`` how much it counts.

    ``sdf`` (n, n) are the distances of the plane ``i``, ``world_to_cam`` (3, 4) leads from voxels to pixels and depth,
    ``inward`` (H, W) is how far the surface moves in, and ``share`` (H, W) the view's say.
    """
    height, width = depth.shape
    for j in range(sdf.shape[0]):
        for k in range(sdf.shape[1]):
            if abs(sdf[j, k]) > _BAND:
                continue
            x, y, z = transformed(world_to_cam, i, j, k)
            if z <= 0 or not (0 <= x / z < width and 0 <= y / z < height):
                continue
            row, column = int(y / z), int(x / z)
            if depth[row, column] <= 0 or abs(depth[row, column] - z) > 1.7 * _BAND:  # the diagonal of a cube
                continue
            total[j, k] += share[row, column] * inward[row, column]
            say[j, k] += share[row, column]
