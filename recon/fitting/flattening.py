"""Flats pressed flat: the surface is moved to where its rims and its smoothed slopes say that it is.

The steps of the fit leave flats as the visual hull has them, swollen between rims that are right: neither colours nor
outlines say otherwise, and smoothness between neighbouring nodes takes as many steps as the square of a flat's width
to reach across. So the slopes of `zero123pp.recon.fitting.flats` are integrated at once, in each view: inverse depths
with these slopes, which on planes are the same everywhere, held at the rims of what is seen, where it jumps in depth,
and where the picture has detail. What the views say of a node is averaged.
"""

import numpy as np

from zero123pp.recon.fitting.flats import AgreedNormals, Look
from zero123pp.recon.fitting.moving import moved
from zero123pp.recon.fitting.seen import Picture, SeenSurface
from zero123pp.recon.ops import integrate_slopes, next_pairs, padded_links

_HELD_AT_RIMS = 1.0
"""Weight of a depth against that of a slope, where the surface ends or jumps."""
_HELD_BY_DETAIL, _DETAIL_POWER = 0.05, 8
"""The same where the picture is all detail, and the power with which it falls where it has less."""
_HELD = 1e-4
"""The same elsewhere: flats of a hundred pixels move."""
_ROUNDS = 80


def flattened(look: Look) -> np.ndarray:
    """Distances (n, n, n) in voxels of the surface that was looked at, its flats pressed flat."""

    def deeper(picture: Picture, seen: SeenSurface, agreed: AgreedNormals) -> np.ndarray:
        return flattened_depth(picture, seen, agreed) - seen.depth

    return moved(look, list(look.level.pool.map(deeper, look.level.pictures, look.seen, look.agreed)))


def flattened_depth(picture: Picture, seen: SeenSurface, agreed: AgreedNormals) -> np.ndarray:
    """Depth (H, W) with the slopes of the agreed normals, as far as they are trusted; as it was beside the object."""
    on = (seen.depth > 0) & picture.solid
    inverse = np.where(on, 1 / np.where(on, seen.depth, 1), 0)
    wanted, links, rim = [], [], np.zeros(on.shape, bool)
    for axis, slope in zip((1, 0), picture.slopes_of(agreed.normals, seen.depth)):
        known = np.isfinite(slope) & on
        linked = np.logical_and(*next_pairs(on, axis)) & (next_pairs(seen.slopes[..., 4 - axis], axis)[0] > 0)
        trust = np.minimum(*next_pairs(np.where(known, agreed.agreement * agreed.shown, 0), axis))
        mean = sum(next_pairs(np.where(known, slope, 0), axis)) / 2
        wanted.append(padded_links(trust * mean + (1 - trust) * np.diff(inverse, axis=axis), axis))
        links.append(padded_links(linked, axis))
        before = np.roll(links[-1], 1, axis)  # of the first it is that of the last, which has none
        rim |= ~(links[-1] & before)
    detail = 1 - np.clip(picture.plain, 0, 1)
    held = (_HELD + _HELD_AT_RIMS * rim + _HELD_BY_DETAIL * detail**_DETAIL_POWER) * on
    inverse = integrate_slopes(inverse, wanted[0], links[0], wanted[1], links[1], held, _ROUNDS)
    return np.where(on, 1 / np.maximum(inverse, 1e-6), seen.depth)
