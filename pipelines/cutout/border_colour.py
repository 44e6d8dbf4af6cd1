"""A cutout from colours alone: whatever differs from what is seen along the border of the picture."""

import numpy as np
from scipy import ndimage


def border_colour_alpha(rgb: np.ndarray) -> np.ndarray:
    """Alpha (H, W) float32 of a picture (H, W, 3) float32 by the Mahalanobis distance to its border's colours."""
    height, width = rgb.shape[:2]
    rim = max(2, round(0.03 * min(height, width)))
    inside = np.zeros((height, width), bool)
    inside[rim:-rim, rim:-rim] = True
    border = rgb[~inside]
    centre, spread = np.median(border, axis=0), np.cov(border.T) + 4e-4 * np.eye(3)
    offset = rgb - centre
    distance = np.sqrt(np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(spread), offset))
    distance = ndimage.gaussian_filter(distance, 0.004 * max(height, width))
    mask = ndimage.binary_fill_holes(distance > 3)
    labels, count = ndimage.label(mask)
    if not count:
        return np.zeros((height, width), np.float32)
    sizes = np.bincount(labels.ravel())[1:]
    mask = np.isin(labels, 1 + np.flatnonzero(sizes > 0.1 * sizes.max()))
    return ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
