"""The cutout that needs no download."""

from typing import TYPE_CHECKING

import numpy as np

from zero123pp.images import to_float
from zero123pp.pipelines.cutout.alpha import opaque_rgb
from zero123pp.pipelines.cutout.border_colour import border_colour_alpha

if TYPE_CHECKING:
    from zero123pp.pipelines.cutout import CutoutConfig


def bundled_alpha(image: np.ndarray, config: "CutoutConfig") -> tuple[np.ndarray, str]:
    """Alpha (H, W) float32 of a picture (H, W, 3|4) uint8. For now from border colours; nothing learned yet."""
    return border_colour_alpha(to_float(opaque_rgb(image))), "bundled"
