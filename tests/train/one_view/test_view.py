"""A view says where things are: checked on a box whose place, way up and normals are known."""

import numpy as np
import pytest

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.quick


def looked_at(elevation_deg=20.0, azimuth_deg=0.0, roll_deg=0.0, turn=np.eye(3), size=(1, 1, 1), side=64):
    from zero123pp.train.one_view import Solid
    from zero123pp.train.one_view.view import Pose, render_view

    mesh = trimesh.creation.box(size)
    grey = lambda face, weights: np.full((len(face), 3), 128.0, np.float32)  # noqa: E731
    solid = Solid.of(np.array(mesh.vertices), np.array(mesh.faces), grey, "box")
    angles = np.deg2rad([azimuth_deg, elevation_deg, roll_deg, 30])
    pose = Pose(turn, *angles, margin=1.15, usual=True)
    return render_view(solid, pose, side, np.random.default_rng(0))


def test_up_is_where_the_camera_says():
    """At elevation e without roll the object's up is (0, -cos e, -sin e) in the camera's frame (x right, y down)."""
    for elevation in (0.0, 25.0, -15.0):
        e = np.deg2rad(elevation)
        # The crop's centre is the camera's aim, so the frame turns with it by a little.
        np.testing.assert_allclose(looked_at(elevation).up, [0, -np.cos(e), -np.sin(e)], atol=0.06)
    rolled = looked_at(0.0, roll_deg=90).up
    assert abs(rolled[0]) > 0.99


def test_depths_are_in_half_sides_of_the_crop():
    """A cube seen straight on is as deep as it is wide, up to perspective."""
    view = looked_at(0.0)
    centre = view.layers[:, 32, 32]
    covered = (view.rgba[32, :, 3] > 127).sum() / 64 * 2  # width of the near face, half sides at its own depth
    near = 1 + view.tan_half_fov * centre[0]
    assert centre[3] - centre[0] == pytest.approx(covered * near, rel=0.06)
    assert abs(np.nanmean(view.layers[[0, 3]])) < 1e-3  # the object's plane is at 0


def test_normals_face_the_viewer_and_away_from_him():
    view = looked_at(20.0, 30.0)
    seen = np.isfinite(view.layers[0])
    normals = view.normals[seen].astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(normals[:, :3], axis=1), 1, atol=2e-3)
    assert (normals[:, 2] < 0.35).all() and (normals[:, 5] > -0.35).all()
    assert normals[:, 2].mean() < -0.4 < 0.4 < normals[:, 5].mean()


def test_the_crop_fits_the_object():
    for turn in (np.eye(3), np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])):
        view = looked_at(30.0, 40.0, turn=turn, size=(0.3, 1, 0.5))
        y, x = np.nonzero(view.rgba[..., 3] > 127)
        assert max(np.ptp(x), np.ptp(y)) + 1 == pytest.approx(64 / 1.15, abs=2)
        assert abs(x.min() + x.max() - 63) <= 2 and abs(y.min() + y.max() - 63) <= 2


def test_what_is_hardly_seen_is_left_out():
    assert looked_at(0.0, 0.0, size=(1, 1, 0.0001), turn=np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0.0]])) is None
