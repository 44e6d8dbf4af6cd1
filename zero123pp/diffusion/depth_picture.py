"""Depths of one view as the picture that Zero123++'s depth ControlNet was trained on (zero123plus issue 40).

Linear depth (distance to the camera plane), scaled so that the nearest visible point is 0 (black) and the farthest 1
(white), with the object's mask as alpha. The scale is that of one view: the published function takes one render at a
time.
"""

import numpy as np

OBJECT_THRESHOLD = 1e-3
"""Depths below this are background, as in the published function."""


def depth_picture(depth: np.ndarray) -> np.ndarray:
    """(S, S, 4) uint8 of depths (S, S): scaled to near 0, far 255 over the object; alpha is the object."""
    mask = depth > OBJECT_THRESHOLD
    low, high = (depth[mask].min(), depth[mask].max()) if mask.any() else (0.0, 1.0)
    scaled = np.where(mask, (depth - low) / (high - low + 1e-9), 0.0)
    gray = np.round(scaled * 255).astype(np.uint8)
    return np.dstack([gray, gray, gray, np.where(mask, 255, 0).astype(np.uint8)])
