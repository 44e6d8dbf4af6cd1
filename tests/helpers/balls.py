"""Analytic balls and boxes seen by pinhole cameras, for the tests of the fit."""

import numpy as np

from zero123pp.cameras import pixel_rays, view_from_world
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, MultiView, View

SAMPLES = 3
"""Rays per pixel along each axis."""


def ball_view(camera: Camera, radius: float = 0.35, centre=(0.0, 0.0, 0.0), paint=None) -> View:
    """A ball, anti-aliased, with depth left out and exact normals; ``paint`` maps points (..., 3) to colours."""
    fine = Camera(camera.world_from_cam, camera.fx * SAMPLES, camera.fy * SAMPLES, camera.cx * SAMPLES,
                  camera.cy * SAMPLES, camera.width * SAMPLES, camera.height * SAMPLES)  # fmt: skip
    origin, directions = pixel_rays(fine)
    towards = origin - np.asarray(centre)
    b, c = directions @ towards, towards @ towards - radius**2
    hit = b**2 > c
    t = -b - np.sqrt(np.where(hit, b**2 - c, 0))
    points = origin + t[..., None] * directions
    normals = (points - centre) / radius @ view_from_world(camera).T
    colors = stripes(points) if paint is None else paint(points)
    alpha = _mean(hit.astype(float))
    rgb, normal = (_mean(np.where(hit[..., None], v, 0)) for v in (colors, normals))
    return View(
        rgb / np.maximum(alpha, 1e-6)[..., None], alpha, camera, normal=np.where(alpha[..., None] == 1, normal, 0)
    )


def stripes(points: np.ndarray) -> np.ndarray:
    """A colourful pattern of the world position."""
    return 0.5 + 0.4 * np.sin(25 * points + np.array([0.0, 1.0, 2.0]))


def ball_views(rig: str = "v1.2", size: int = 96, **ball) -> MultiView:
    return MultiView(tuple(ball_view(camera, **ball) for camera in get_rig(rig).cameras(size)), source="ball")


def _mean(values: np.ndarray) -> np.ndarray:
    h, w = values.shape[0] // SAMPLES, values.shape[1] // SAMPLES
    return values.reshape(h, SAMPLES, w, SAMPLES, *values.shape[2:]).mean((1, 3))
