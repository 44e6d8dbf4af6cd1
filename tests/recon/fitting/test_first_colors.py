"""The colours a fit begins with, against the same written with arrays."""

from dataclasses import replace

import numpy as np
import pytest
from balls import ball_view, ball_views

from zero123pp.cameras import orbit_camera, project
from zero123pp.recon.fitting.first_colors import seen_colors
from zero123pp.recon.ops import bilinear, premultiplied

pytestmark = pytest.mark.quick


def _ball(n, half_extent):
    axis = np.linspace(-half_extent, half_extent, n)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return nodes, (np.linalg.norm(nodes, axis=-1) - 0.3).astype(np.float32)


def test_colours_are_the_means_of_what_the_views_show_head_on():
    views = [replace(view, confidence=1 - 0.1 * i) for i, view in enumerate(ball_views(size=48).views)]
    nodes, distance = _ball(20, 0.5)
    slope = np.stack(np.gradient(distance), -1)
    total, weights = np.full((*distance.shape, 3), 0.5e-3), np.full(distance.shape, 1e-3)
    for view in views:
        px, depth = project(view.camera, nodes)
        towards = view.camera.world_from_cam[:3, 3] - nodes
        cosine = (slope * towards).sum(-1) / np.linalg.norm(slope, axis=-1) / np.linalg.norm(towards, axis=-1)
        inside = (depth > 0) & (px >= 0).all(-1) & (px < 48).all(-1)
        weight = np.where(inside, np.maximum(cosine, 0) ** 2 * view.confidence, 0)
        rgba = bilinear(premultiplied(view), px.reshape(-1, 2)).reshape(*distance.shape, 4)
        total += weight[..., None] * rgba[..., :3]
        weights += weight * rgba[..., 3]
    np.testing.assert_allclose(seen_colors(views, distance, 0.5), total / weights[..., None], atol=1e-5)


def test_what_no_view_shows_is_gray():
    view = ball_view(orbit_camera(0, 0, 2.0, 30, 48))
    nodes, distance = _ball(20, 0.5)
    behind = nodes @ view.camera.world_from_cam[:3, 3] < 0
    colors = seen_colors([view], distance, 0.5)
    np.testing.assert_allclose(colors[behind & (distance > -0.1)], 0.5, atol=1e-6)
    assert np.abs(colors[~behind & (np.abs(distance) < 0.03)] - 0.5).max() > 0.1
