"""The colours that a fit begins with."""

from collections.abc import Sequence

import numba
import numpy as np

from zero123pp.recon.ops import kernel_input, pixels_around, premultiplied
from zero123pp.types import View

_UNSEEN, _UNSEEN_WEIGHT = 0.5, 1e-3
"""The gray of what no view shows, and how much it counts beside what one shows head-on."""


def seen_colors(views: Sequence[View], distance: np.ndarray, half_extent: float) -> np.ndarray:
    """A first guess of colours (n, n, n, 3): at every node the mean of what the views show there.

    Views that look at the surface head-on count most; occlusion is not considered. Gray where no view shows anything.

    Args:
        views: with straight colours.
        distance: (n, n, n) signed distance, whose slope is taken for the normal.
        half_extent: of the grid, world units.
    """
    axis = np.linspace(-half_extent, half_extent, len(distance))
    slope = np.stack(np.gradient(distance), -1, dtype=float)
    total = np.full((*distance.shape, 4), _UNSEEN_WEIGHT)
    total[..., :3] *= _UNSEEN
    for view in views:
        camera = view.camera
        lens = tuple(map(float, (camera.fx, camera.fy, camera.cx, camera.cy)))
        pixels = kernel_input(premultiplied(view), np.float32)
        _add_seen(axis, slope, kernel_input(camera.world_from_cam), lens, pixels, float(view.confidence), total)
    return (total[..., :3] / total[..., 3:]).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _add_seen(axis, slope, pose, lens, rgba, confidence, total):
    """Add to ``total`` (n, n, n, 4) the premultiplied colours and alphas that a view shows at the nodes, weighted.

    ``pose`` (4, 4) takes the camera's axes to the world's, ``lens`` is its fx, fy, cx and cy.
    """
    height, width = rgba.shape[:2]
    fx, fy, cx, cy = lens
    rotation, centre = pose[:3, :3], pose[:3, 3]
    for i in range(len(axis)):
        for j in range(len(axis)):
            for k in range(len(axis)):
                # from the camera to the node
                x, y, z = axis[i] - centre[0], axis[j] - centre[1], axis[k] - centre[2]
                depth = x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2]
                sx, sy, sz = slope[i, j, k]
                facing = -(sx * x + sy * y + sz * z)
                if depth <= 0 or facing <= 0:
                    continue
                px = fx * (x * rotation[0, 0] + y * rotation[1, 0] + z * rotation[2, 0]) / depth + cx
                py = fy * (x * rotation[0, 1] + y * rotation[1, 1] + z * rotation[2, 1]) / depth + cy
                if px < 0 or py < 0 or px >= width or py >= height:
                    continue
                lengths = (sx * sx + sy * sy + sz * sz) * (x * x + y * y + z * z)
                weight = confidence * facing * facing / max(lengths, 1e-18)
                x0, x1, y0, y1, right, low = pixels_around(px, py, height, width)
                for c in range(4):
                    upper = rgba[y0, x0, c] * (1 - right) + rgba[y0, x1, c] * right
                    lower = rgba[y1, x0, c] * (1 - right) + rgba[y1, x1, c] * right
                    total[i, j, k, c] += weight * (upper * (1 - low) + lower * low)
