"""Projections into the pictures that the prior sees."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera, project
from zero123pp.recon.prior.framing import (
    SINGLE_VIEW_DISTANCE,
    SINGLE_VIEW_ROOM,
    assumed_matrix,
    projection,
    single_view_matrix,
)

pytestmark = pytest.mark.quick


def test_projection_is_the_cameras():
    camera = orbit_camera(40, 10, 2.0, 30, 200)
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 3))
    centre, half = np.array([0.1, 0.0, -0.05]), 0.7
    matrix = projection(
        camera.world_from_cam, np.array([camera.fx, camera.fy, camera.cx, camera.cy]), 200, centre, half
    )
    seen = np.concatenate([(points - centre) / half, np.ones((20, 1))], 1) @ matrix.T
    px, _ = project(camera, points)
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], px / 100 - 1, atol=1e-9)


def test_one_view_of_the_assumed_kind_is_assumed_rightly():
    """A photograph from just the assumed camera: the assumed projection is the true one."""
    half_width = 0.3
    distance = SINGLE_VIEW_DISTANCE * half_width
    fov = 2 * np.rad2deg(np.arctan(1 / SINGLE_VIEW_DISTANCE))
    camera = orbit_camera(0, 25, distance, fov, 100)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    matrix, centre, half_extent = single_view_matrix(camera.world_from_cam, intrinsics, 100, 25.0)
    assert np.allclose(centre, 0, atol=1e-12)
    assert half_extent == pytest.approx(SINGLE_VIEW_ROOM * half_width)
    true = projection(camera.world_from_cam, intrinsics, 100, centre, half_extent)
    np.testing.assert_allclose(matrix, true, atol=1e-9)
    np.testing.assert_allclose(assumed_matrix(25.0), true, atol=1e-9)
