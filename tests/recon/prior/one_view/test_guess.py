"""From a network's depth maps to a solid: closed, of the right shape, upright, with the outline of the picture."""

import numpy as np
import pytest
from seen_by_network import Answers, ball, disc

from zero123pp.cameras import OBJECT_RADIUS, project
from zero123pp.errors import StageFailed
from zero123pp.recon.meshing import face_normals, is_watertight
from zero123pp.recon.meshing.topology import signed_volume
from zero123pp.recon.ops.raster import rasterize
from zero123pp.recon.prior.one_view.crop import cropped, square_round
from zero123pp.recon.prior.one_view.guess import Wishes, one_view_solid
from zero123pp.recon.prior.one_view.relief import with_relief
from zero123pp.recon.prior.one_view.solid import SolidConfig
from zero123pp.recon.prior.one_view.upright import elevation_deg, up_vector, world_axes

SMALL = SolidConfig(rays=64)
OFF = Wishes(symmetry="off")


@pytest.fixture(scope="module")
def round_one():
    return one_view_solid(disc(), Answers(ball), SMALL, OFF)


def _shown(solid, size=128) -> np.ndarray:
    return rasterize(solid.mesh.vertices, solid.mesh.faces, solid.camera).covered


def test_a_ball_is_a_ball(round_one):
    radii = np.linalg.norm(round_one.mesh.vertices, axis=1)
    assert is_watertight(round_one.mesh.faces) and signed_volume(round_one.mesh) > 0
    assert radii.max() == pytest.approx(OBJECT_RADIUS, abs=1e-3)
    assert np.quantile(radii, 0.02) > 0.9 * OBJECT_RADIUS


def test_the_outline_is_that_of_the_picture(round_one):
    given, shown = disc()[..., 3] > 0.5, _shown(round_one)
    assert (given & shown).sum() / (given | shown).sum() > 0.97


def test_the_camera_stands_where_the_network_says(round_one):
    x, y, z = round_one.camera.world_from_cam[:3, 3]
    assert np.rad2deg(np.arctan2(y, np.hypot(x, z))) == pytest.approx(20, abs=2)
    assert abs(x) < 0.05 < z


@pytest.mark.parametrize(("wish", "got"), [({"elevation_deg": -40.0}, -40), ({"roll_deg": 30.0}, 20), ({}, 20)])
def test_wishes_turn_the_object(wish, got):
    solid = one_view_solid(disc(), Answers(ball), SMALL, Wishes(symmetry="off", **wish))
    x, y, z = solid.camera.world_from_cam[:3, 3]
    assert np.rad2deg(np.arctan2(y, np.hypot(x, z))) == pytest.approx(got, abs=2)
    right = solid.camera.world_from_cam[:3, 0]
    roll = np.deg2rad(wish.get("roll_deg", 0))
    assert right[1] == pytest.approx(np.sin(roll) * np.cos(np.deg2rad(got)), abs=0.02)


def test_a_thinner_object_is_thinner():
    depth = {}
    for factor in (1.0, 0.5):
        solid = one_view_solid(disc(), Answers(ball, elevation=0), SMALL, Wishes(factor, symmetry="off"))
        size = np.ptp(solid.mesh.vertices, axis=0)
        depth[factor] = size[2] / size[0]
    assert depth[0.5] == pytest.approx(0.5 * depth[1.0], rel=0.06)


def test_a_vessel_stays_open():
    """A tube that is looked into: the ray enters the near wall, leaves it, and meets the far wall behind the hollow."""

    def tube(u, v):
        return 0 * u - 0.6, 0 * u - 0.5, 0 * u + 0.5, 0 * u + 0.6

    size = 128
    rgba = np.zeros((size, size, 4), np.float32)
    rgba[24:104, 24:104] = 1

    def open_above(u, v):
        front, out, into, back = tube(u, v)
        top = v < -0.6
        return np.where(top, 0.5, front), out, np.where(top, out - 1, into), back

    both = {}
    for name, answer in (("open", open_above), ("shut", lambda u, v: (0 * u - 0.6, 0 * u, 0 * u - 1, 0 * u + 0.6))):
        both[name] = signed_volume(one_view_solid(rgba, Answers(answer, elevation=0), SMALL, OFF).mesh)
    assert both["open"] < 0.6 * both["shut"]


def test_thin_parts_stay_and_bumps_are_no_ridges():
    size = 256
    rgba = np.zeros((size, size, 4), np.float32)
    rgba[40:216, 40:120] = 1
    rgba[124:130, 120:220] = 1  # a wire of three rays
    slab = Answers(lambda u, v: (0 * u - 0.3, 0 * u, 0 * u - 1, 0 * u + 0.3), elevation=0)
    solid = one_view_solid(rgba, slab, SolidConfig(rays=96), OFF)
    shown = _shown(solid)
    given = rgba[..., 3] > 0.5
    assert (given & shown).sum() / (given | shown).sum() > 0.96
    px, depth = project(solid.camera, solid.mesh.vertices)
    wire, body = px[:, 0] > 150, px[:, 0] < 110
    assert np.ptp(depth[body]) > 3 * 0.25 * np.ptp(depth[wire]) > 0


def test_nothing_seen_is_said():
    rgba = disc()
    with pytest.raises(StageFailed):
        one_view_solid(rgba, Answers(lambda u, v: (0 * u + np.nan,) * 4), SMALL, OFF)


def test_relief_follows_the_normals_and_keeps_the_depth_at_large():
    size = 64
    at = (np.arange(size) + 0.5) / size * 2 - 1
    u, _ = np.meshgrid(at, at)
    true = 0.3 * u + 0.02 * np.sin(20 * u)
    across = 0.3 + 0.4 * np.cos(20 * u)
    normal = np.stack([across, 0 * u, -np.ones_like(u)])
    normal /= np.linalg.norm(normal, axis=0)
    flat = 0.3 * u
    inside = np.ones((size, size), bool)
    made = with_relief(flat.astype(np.float32), normal, inside, 8.0)
    assert np.abs(made - true).mean() < 0.5 * np.abs(flat - true).mean()
    assert abs((made - flat).mean()) < 1e-3


def test_a_crop_may_reach_beyond_the_cutout():
    rgba = np.ones((50, 50, 4), np.float32)
    square = square_round(rgba[..., 3])
    crop = cropped(rgba, square, 57)
    assert square[0] == square[1] < 0 and square[2] == pytest.approx(57)
    assert crop.alpha[28, 28] == 1 and crop.alpha[0, 0] == 0


@pytest.mark.parametrize("up", [(0, -1, 0), (0.3, -0.9, -0.2), (0, 0, -1), (0, 0.1, 1)])
def test_world_axes_are_a_rotation_with_up_up(up):
    up = np.array(up, float) / np.linalg.norm(up)
    rotation = world_axes(up)
    assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.linalg.det(rotation) > 0
    assert np.allclose(rotation @ up, [0, 1, 0])


@pytest.mark.parametrize("elevation", [-60.0, 0.0, 35.0])
def test_elevation_and_up_are_inverse(elevation):
    assert elevation_deg(up_vector(elevation, 17.0)) == pytest.approx(elevation)


def test_normals_of_the_ball_point_outward(round_one):
    mesh = round_one.mesh
    centres = mesh.vertices[mesh.faces].mean(1)
    assert ((face_normals(mesh.vertices, mesh.faces) * centres).sum(1) > 0).mean() > 0.99
