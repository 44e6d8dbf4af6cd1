"""From a guessed solid that carries its picture to the views that a multi-view source hands over."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from zero123pp.images import to_float
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Part, View

TILE_PX = 320
"""Side of the six views: that of Zero123++'s tiles."""

GUESSED_CONFIDENCE = 0.3
"""Trust in the six guessed views relative to the picture itself, which has 1."""


def rig_views(parts: Part | Sequence[Part], rig: str) -> list[View]:
    """The rig's six views of a coloured object, with depth and normals."""
    with ThreadPoolExecutor(2) as pool:  # the rasteriser lets go of the interpreter
        return list(pool.map(lambda camera: render(parts, camera), get_rig(rig).cameras(TILE_PX)))


def painted_views(
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
