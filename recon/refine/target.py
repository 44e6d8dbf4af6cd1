"""What a view asks of the mesh while it is refined: picture and normals round its object, with their weights."""

from dataclasses import dataclass

import numpy as np

from zero123pp.recon.fitting import trusted_normals
from zero123pp.types import Camera, View

_MARGIN_PX = 12
"""Pixels round a silhouette that the mesh may cover without leaving the picture."""


@dataclass(frozen=True)
class Target:
    """What one view wants to see."""

    camera: Camera
    picture: np.ndarray
    """(H, W, 4) float32: colour times alpha, then alpha."""
    weight: np.ndarray
    """(4,) float32 weight of each squared residual."""
    scale: np.ndarray
    """(4,) float32 residual beyond which it counts linearly."""
    normal: np.ndarray
    """(H, W, 3) float32 unit normals, world frame."""
    normal_weight: np.ndarray
    """(H, W) float32 weight of their squared differences, 0 where there is none."""


def make_target(view: View, config: "RefineConfig") -> Target:  # noqa: F821
    """The target of a view, cropped to its object, with the weights of the config per pixel of the object."""
    share = view.confidence / max(float(view.alpha.sum()), 1.0)
    rows, columns = (_reach(view.alpha.any(axis), _MARGIN_PX) for axis in (1, 0))
    crop = (rows, columns)
    alpha = view.alpha[crop][..., None]
    normal, trust = np.zeros_like(view.rgb), np.zeros_like(view.alpha)
    if view.normal is not None:  # before the crop: its border would look like an edge
        normal, trust = trusted_normals(view)
    return Target(
        _cropped(view.camera, rows, columns),
        np.ascontiguousarray(np.dstack([view.rgb[crop] * alpha, alpha]), np.float32),
        np.array([config.weight_rgb * share] * 3 + [config.weight_mask * share], np.float32),
        np.array([config.rgb_scale] * 3 + [np.inf], np.float32),
        np.ascontiguousarray(normal[crop], np.float32),
        np.ascontiguousarray(config.weight_normal * share * trust[crop], np.float32),
    )


def _reach(occupied: np.ndarray, margin: int) -> slice:
    """From the first to the last marked entry, and ``margin`` more where there are."""
    marked = np.flatnonzero(occupied)
    return slice(max(marked[0] - margin, 0), min(marked[-1] + margin + 1, len(occupied)))


def _cropped(camera: Camera, rows: slice, columns: slice) -> Camera:
    cx, cy = camera.cx - columns.start, camera.cy - rows.start
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return Camera(camera.world_from_cam, camera.fx, camera.fy, cx, cy, width, height)
