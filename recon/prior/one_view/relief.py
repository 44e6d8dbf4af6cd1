"""Depth that follows predicted normals: depths are right at large and soft in detail, normals the other way round."""

import numpy as np

from zero123pp.recon.ops import next_pairs, padded_links

_FLATTEST = 0.25
"""Cosine below which a normal says too little about the slope of the depth."""

_JUMP = 3.0
"""Slope of the depth, beyond that of the normals, from which two neighbours are taken for two surfaces."""

_ROUNDS = 60


def with_relief(depth: np.ndarray, normal: np.ndarray, inside: np.ndarray, scale_px: float) -> np.ndarray:
    """The depth whose slopes are those of the normals, and which is the given one at large.

    Minimises, over pixels and their neighbours that lie on one surface, the squared difference of the slopes plus the
    squared difference of the depths divided by ``scale_px`` squared (Horn and Brooks 1986 with a data term).

    Args:
        depth: (S, S) in half sides of the picture, forward.
        normal: (3, S, S) unit; x right, y down, z forward.
        inside: (S, S) bool, where both mean something.
        scale_px: details finer than about this come from the normals, px.
    """
    from zero123pp.recon.ops import integrate_slopes

    px = 2 / len(depth)
    steep = np.clip((np.abs(normal[2]) - _FLATTEST) / _FLATTEST, 0, 1)
    nz = np.where(normal[2] < 0, -1, 1) * np.maximum(np.abs(normal[2]), _FLATTEST)
    slopes, links = [], []
    for axis, component in ((1, 0), (0, 1)):
        wanted = -normal[component] / nz * px
        here, there = next_pairs(wanted, axis)
        trust = np.minimum(*next_pairs(steep, axis))
        given = np.diff(depth, axis=axis)
        slope = trust * (here + there) / 2 + (1 - trust) * given
        linked = np.logical_and(*next_pairs(inside, axis)) & (np.abs(given - slope) < _JUMP * px)
        slopes.append(padded_links(slope * linked, axis).astype(np.float32))
        links.append(padded_links(linked, axis).astype(np.float32))
    held = np.full(depth.shape, scale_px**-2, np.float32)
    relieved = integrate_slopes(depth, slopes[0], links[0], slopes[1], links[1], held, _ROUNDS)
    return relieved.astype(np.float32)
