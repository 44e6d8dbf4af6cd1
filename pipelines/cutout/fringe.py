"""The rim of a cutout, where its colours are mixed with the background's."""

import numpy as np

from zero123pp.images import to_float
from zero123pp.types import Cutout

_RIM = 0.004
"""Width of the rim where a half-transparent pixel may hold background, in picture sides."""

_EXACT_METHODS = ("alpha", "given")
"""Cutouts whose alpha came with the picture; others are estimated."""

_FRINGE = 0.008
"""Width of the rim of an estimated cutout in which background may shine through, share of the picture's side."""


def fringe_px(cutout: Cutout) -> float:
    """Width of the rim, px, whose colours are not to be trusted."""
    return 0.0 if cutout.method in _EXACT_METHODS else _FRINGE * len(cutout.rgba)


def without_fringe(cutout: Cutout) -> np.ndarray:
    """The cutout (S, S, 4) float32 with its colours carried on over the outline, see `extended`."""
    rgba = to_float(cutout.rgba)
    return np.dstack([extended(rgba[..., :3], rgba[..., 3], fringe_px(cutout)), rgba[..., 3]])


def extended(rgb: np.ndarray, alpha: np.ndarray, fringe: float) -> np.ndarray:
    """Colours carried on over the outline, so that no look-up at the rim meets a pixel of no colour.

    Pixels nearer than ``fringe`` px to the outline take the colour of the nearest one farther in: an estimated mask is
    a little too wide here and there, and the background that it lets in would be stretched over the object's sides.
    """
    from scipy import ndimage

    opaque = alpha > 0.5
    depth = ndimage.distance_transform_edt(opaque)
    known = opaque & ((alpha > 0.9) | (depth > _RIM * len(rgb))) & (depth > fringe)
    if not known.any():
        return extended(rgb, alpha, 0.0) if fringe > 0 else rgb
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    weight = np.where(known, 1.0, np.clip((alpha - 0.5) / 0.4, 0, 1) * (fringe == 0))[..., None]
    return (weight * rgb + (1 - weight) * rgb[rows, columns]).astype(np.float32)
