"""Laws of the frame, the cameras and the rigs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero123pp.cameras import (
    OBJECT_RADIUS,
    look_at,
    orbit_camera,
    orbit_position,
    pixel_centres,
    pixel_rays,
    project,
    resized,
    unproject,
    view_from_world,
)
from zero123pp.errors import BadInput
from zero123pp.rigs import RIGS, get_rig

pytestmark = pytest.mark.quick

ANGLES = dict(azimuth=st.floats(-360, 360), elevation=st.floats(-80, 80))


@given(**ANGLES, points=st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=1, max_size=8))
def test_unproject_inverts_project(azimuth, elevation, points):
    camera = orbit_camera(azimuth, elevation, 1.9, 30, 320)
    px, depth = project(camera, np.array(points))
    np.testing.assert_allclose(unproject(camera, px, depth), points, atol=1e-9)


@given(**ANGLES)
def test_camera_is_a_right_handed_rotation_that_looks_at_the_origin(azimuth, elevation):
    pose = look_at(orbit_position(azimuth, elevation, 2.0))
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    px, depth = project(orbit_camera(azimuth, elevation, 2.0, 40, 100), np.zeros(3))
    np.testing.assert_allclose(px, [50, 50], atol=1e-9)
    assert depth == pytest.approx(2.0)


def test_the_frame_of_the_contract():
    front = orbit_camera(0, 0, 2.0, 30, 200)
    np.testing.assert_allclose(front.world_from_cam[:3, 3], [0, 0, 2.0], atol=1e-12)  # the input camera is on +Z
    px, _ = project(front, np.array([[0.1, 0, 0], [0, 0.1, 0]]))
    assert px[0, 0] > 100 and px[0, 1] == pytest.approx(100)  # +X is on the right of the picture
    assert px[1, 1] < 100 and px[1, 0] == pytest.approx(100)  # +Y is up
    quarter = orbit_position(90, 0, 1.0)
    np.testing.assert_allclose(quarter, [1, 0, 0], atol=1e-12)  # counter-clockwise seen from above
    assert orbit_position(0, 30, 1.0)[1] == pytest.approx(0.5)  # elevation is upwards


def test_rays_pass_through_pixel_centres():
    camera = orbit_camera(33, -12, 1.5, 45, 16)
    origin, directions = pixel_rays(camera)
    px, depth = project(camera, origin + 0.7 * directions)
    np.testing.assert_allclose(px, pixel_centres(camera), atol=1e-9)
    assert (depth > 0).all()
    assert tuple(pixel_centres(camera)[0, 0]) == (0.5, 0.5)


def test_resizing_a_camera_scales_pixels():
    camera, points = orbit_camera(10, 20, 1.9, 30, 320), np.random.default_rng(0).uniform(-0.4, 0.4, (5, 3))
    np.testing.assert_allclose(project(resized(camera, 80, 80), points)[0], project(camera, points)[0] / 4)


def test_view_normals_have_the_axes_of_the_normal_sheet():
    camera = orbit_camera(70, 25, 2, 30, 64)
    towards_viewer = camera.world_from_cam[:3, 3] / 2
    np.testing.assert_allclose(view_from_world(camera) @ towards_viewer, [0, 0, 1], atol=1e-12)
    assert (view_from_world(camera) @ [0, 1, 0])[1] > 0.8  # up stays up


@pytest.mark.parametrize("name", RIGS)
def test_a_rig_is_a_ring(name):
    rig = RIGS[name]
    assert rig.rows * rig.columns == len(rig.azimuths_deg) == len(rig.elevations_deg) == 6
    np.testing.assert_array_equal(rig.azimuths_deg, 30 + 60 * np.arange(6))
    assert set(rig.elevations_deg[::2]) == {max(rig.elevations_deg)}
    for camera in rig.cameras(64):
        assert np.linalg.norm(camera.world_from_cam[:3, 3]) == pytest.approx(rig.distance)
        assert (camera.width, camera.height, camera.cx, camera.cy) == (64, 64, 32, 32)


def test_the_v12_frame_holds_the_object_sphere_exactly():
    rig = RIGS["v1.2"]
    assert rig.distance == pytest.approx(OBJECT_RADIUS / np.tan(np.deg2rad(15)))
    camera = rig.cameras(320)[0]
    right = camera.world_from_cam[:3, 0]
    assert project(camera, OBJECT_RADIUS * right)[0][0] == pytest.approx(320)


def test_unknown_rig_and_parallel_up_are_bad_input():
    with pytest.raises(BadInput, match=r"v9.*v1\.1, v1\.2"):
        get_rig("v9")
    with pytest.raises(BadInput, match="parallel"):
        look_at(np.array([0, 2.0, 0]))
