"""Vessels: the hull hollowed out, and fits that find out by the pictures whether that is right."""

from dataclasses import replace

import numpy as np
import pytest

from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.fitting.vessels import hollowed
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, MultiView

SMALL = FitConfig(levels=(32, 40), steps=100)


def ball_distance(n=32, radius=10.0):
    axis = np.arange(n) - (n - 1) / 2
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return (np.sqrt(x**2 + y**2 + z**2) - radius).astype(np.float32), (x, y, z)


def test_a_hollow_ball_is_open_above_and_keeps_its_wall():
    hull, (x, y, z) = ball_distance()
    open_above = hollowed(hull, 2.0)
    across = np.hypot(x, z)
    inside = (across < 7) & (y > -np.sqrt(np.maximum(64 - across**2, 0)) + 0.6)
    assert (open_above[inside] > 0).all()
    wall = (hull < -0.2) & (hull > -1.8) & (y < 0)
    assert (open_above[wall] < 0).all()
    assert (open_above >= hull).all()
    thin = np.abs(x).astype(np.float32) - 1.5  # nothing is deep enough
    np.testing.assert_array_equal(hollowed(thin, 2.0), thin)


def pan(solid: bool) -> Mesh:
    """A round pan, red outside and blue inside with one yellow side; ``solid``: filled up, its lid blue."""
    import trimesh

    body = trimesh.creation.cylinder(0.42, 0.26, sections=48)
    if not solid:
        inner = trimesh.creation.cylinder(0.34, 0.26, sections=48)
        inner.apply_translation([0, 0, 0.08])
        body = trimesh.boolean.difference([body, inner], engine="manifold")
    for _ in range(3):
        body = body.subdivide()
    y_up = body.vertices[:, [1, 2, 0]]
    inside = (np.hypot(y_up[:, 0], y_up[:, 2]) < 0.37) & (y_up[:, 1] > -0.1)
    colors = np.full((len(y_up), 3), (200, 40, 40), np.uint8)
    colors[inside] = (60, 90, 210)
    colors[inside & (y_up[:, 0] > 0.15)] = (230, 200, 40)
    return Mesh(y_up, body.faces, colors)


@pytest.mark.parametrize("solid", [False, True], ids=["a pan", "a drum"])
def test_what_stands_open_is_opened_and_what_is_closed_stays_so(solid):
    body = pan(solid)
    views = MultiView(tuple(render([body], camera) for camera in get_rig("v1.2").cameras(96)), source="test")
    tried, never = (fit(views, replace(SMALL, vessel_wall=wall)) for wall in (2.0, 0.0))
    middle = len(tried.sdf) // 2
    axis = np.linspace(-tried.half_extent, tried.half_extent, len(tried.sdf))
    column = tried.sdf[middle, (axis > 0.0) & (axis < 0.12), middle]
    if solid:
        np.testing.assert_array_equal(tried.sdf, never.sdf)
    else:
        assert (column > 0).all()
        assert (never.sdf[middle, (axis > 0.0) & (axis < 0.12), middle] < 0).any()
