"""How much what a camera sees of a reconstruction looks like a picture from there."""

import numpy as np

from zero123pp.types import View


def likeness(ours: View, picture: View) -> tuple[float, float]:
    """Intersection over union of both outlines (alpha > 0.5), and PSNR in dB of sRGB colours over what both cover."""
    our_mask, mask = ours.alpha > 0.5, picture.alpha > 0.5
    common = our_mask & mask
    error = np.mean((ours.rgb[common] - picture.rgb[common]) ** 2) if common.any() else 1.0
    return float(common.sum() / max((mask | our_mask).sum(), 1)), float(-10 * np.log10(max(error, 1e-10)))
