"""The picture's camera in the words of viewers, against the project's own orbit."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.server.maker import orbit_of
from zero123pp.types import Camera

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (30, 20), (-100, -35), (170, 80)])
def test_an_orbit_camera_comes_back(azimuth, elevation):
    found = orbit_of(orbit_camera(azimuth, elevation, 2.1, 30.0, 64))
    expected = {"azimuth": azimuth, "elevation": elevation, "distance": 2.1, "roll": 0, "fov": 30}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert found["target"] == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("roll", [-40.0, 15.0])
def test_a_camera_turned_clockwise_has_that_roll(roll):
    """Its right side, turned clockwise as the camera sees itself, points down."""
    camera = orbit_camera(20, 10, 2.0, 40.0, 64)
    angle = np.radians(roll)
    turned = np.array(camera.world_from_cam, float)
    right, down = camera.world_from_cam[:3, 0], camera.world_from_cam[:3, 1]
    turned[:3, 0] = np.cos(angle) * right + np.sin(angle) * down
    turned[:3, 1] = np.cos(angle) * down - np.sin(angle) * right
    rolled = Camera(turned, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
    assert orbit_of(rolled)["roll"] == pytest.approx(roll, abs=1e-6)


def test_a_camera_that_looks_past_the_origin_has_the_nearest_point_of_its_axis_as_target():
    camera = orbit_camera(0, 0, 2.0, 40.0, 64)
    moved = np.array(camera.world_from_cam, float)
    moved[:3, 3] += [0.1, 0.2, 0]
    found = orbit_of(Camera(moved, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height))
    assert found["target"] == pytest.approx([0.1, 0.2, 0], abs=1e-6) and found["distance"] == pytest.approx(2.0)
