"""How much what a camera sees of a reconstruction looks like a picture from there."""

import numpy as np

from zero123pp.recon.metrics.pictures import decibels
from zero123pp.types import View

_MOST_DB = 100.0
"""Of colours that are equal: a number that tables and JSON can hold."""


def likeness(ours: View, picture: View) -> tuple[float, float]:
    """Intersection over union of both outlines (alpha > 0.5), and PSNR in dB of sRGB colours over what both cover."""
    our_mask, mask = ours.alpha > 0.5, picture.alpha > 0.5
    common = our_mask & mask
    error = np.mean((ours.rgb[common] - picture.rgb[common]) ** 2) if common.any() else 1.0
    return float(common.sum() / max((mask | our_mask).sum(), 1)), decibels(error, _MOST_DB)
