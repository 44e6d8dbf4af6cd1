"""Depths of one view as the pictures that depth ControlNets were trained on.

`depth_picture` is for Zero123++'s own (zero123plus issue 40): linear depth (distance to the camera plane), scaled so
that the nearest visible point is 0 (black) and the farthest 1 (white), with the object's mask as alpha. The scale is
that of one view: the published function takes one render at a time.

`disparity_picture` is for those of Stable Diffusion, which learned from what MiDaS makes of photographs (Ranftl et al.
2020, "Towards Robust Monocular Depth Estimation", section 4): inverse depth, near white, far black.
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


BACKDROP = 1.0
"""Distance of the wall behind the object from its farthest visible point, in its diameters: as in a studio, near enough
that the object's own relief takes up most of the grays, and far enough that its outline shows."""


def disparity_picture(depth: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 of depths (S, S): inverse depth, 255 at the nearest visible point and 0 at the backdrop."""
    mask = depth > OBJECT_THRESHOLD
    if not mask.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    wall = 1 / (depth[mask].max() + BACKDROP)
    scaled = np.where(mask, 1 / np.where(mask, depth, 1) - wall, 0) / (1 / depth[mask].min() - wall)
    return np.repeat(np.round(scaled * 255).astype(np.uint8)[..., None], 3, axis=2)
