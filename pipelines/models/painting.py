"""From a guessed solid that carries its picture to the views that a multi-view source hands over."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from zero123pp.images import to_float
from zero123pp.recon.render import Part, render
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, View

TILE_PX = 320
"""Side of the six views: that of Zero123++'s tiles."""

GUESSED_CONFIDENCE = 0.3
"""Trust in the six guessed views relative to the picture itself, which has 1."""

_RIM = 0.004
"""Width of the rim where a half-transparent pixel may hold background, in picture sides."""

_EXACT_METHODS = ("alpha", "given")
"""Cutouts whose alpha came with the picture; others are estimated."""

_FRINGE = 0.008
"""Width of the rim of an estimated cutout in which background may shine through, share of the picture's side."""


def fringe_px(cutout: Cutout) -> float:
    """Width of the rim, px, whose colours are not to be trusted."""
    return 0.0 if cutout.method in _EXACT_METHODS else _FRINGE * len(cutout.rgba)


def extended(rgb: np.ndarray, alpha: np.ndarray, fringe: float) -> np.ndarray:
    """Colours carried on over the outline, so that no look-up at the rim meets a pixel of no colour.

    Pixels nearer than ``fringe`` px to the outline take the colour of the nearest one farther in: an estimated mask is
    a little too wide here and there, and the background that it lets in would be stretched over the object's sides.
    """
    from scipy import ndimage

    solid = alpha > 0.5
    depth = ndimage.distance_transform_edt(solid)
    known = solid & ((alpha > 0.9) | (depth > _RIM * len(rgb))) & (depth > fringe)
    if not known.any():
        return extended(rgb, alpha, 0.0) if fringe > 0 else rgb
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    weight = np.where(known, 1.0, np.clip((alpha - 0.5) / 0.4, 0, 1) * (fringe == 0))[..., None]
    return (weight * rgb + (1 - weight) * rgb[rows, columns]).astype(np.float32)


def pictured(
    parts: Sequence[Part], front: Camera, picture: np.ndarray, rig: str, progress: Callable[[float], None]
) -> tuple[View, ...]:
    """The rig's views of a guessed solid, and after them the picture itself.

    The picture keeps the guessed depth and normals under it. Its alpha is the solid's: the same outline to a fraction
    of a pixel, but opaque inside, as the mesh will be, where a soft cutout leaves half-transparent patches that no
    mesh can show.

    Args:
        parts: the solid, with colours.
        front: camera of the picture.
        picture: (S, S, 3) uint8, with sensible colours outside of the object as well.
        rig: name of the rig.
        progress: called with the fraction done.
    """
    cameras = (*get_rig(rig).cameras(TILE_PX), front)
    views: list[View] = []
    with ThreadPoolExecutor(2) as pool:  # the rasteriser lets go of the interpreter
        for view in pool.map(lambda camera: render(parts, camera), cameras):
            views.append(replace(view, confidence=GUESSED_CONFIDENCE))
            progress(len(views) / len(cameras))
    views[-1] = replace(views[-1], rgb=to_float(picture), confidence=1.0)
    return tuple(views)
