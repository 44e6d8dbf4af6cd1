"""What the shape prior learns from: signed distances of all kinds of meshes, projections, lights, mirror images."""

import dataclasses

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera, project
from zero123pp.pipelines.training_data.shapes.views import AZIMUTHS, render_tiles
from zero123pp.recon.prior.framing import (
    SINGLE_VIEW_DISTANCE,
    SINGLE_VIEW_ROOM,
    assumed_matrix,
    projection,
    single_view_matrix,
)
from zero123pp.types import Mesh

torch = pytest.importorskip("torch")


LIGHTS = np.stack([np.array([[11.0] * 3] + [[0.5] * 3] * 8)])


def ball(radius: float = 0.3) -> Mesh:
    import trimesh

    shape = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(shape.vertices, shape.faces)


def block(size: tuple[float, float, float], at: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    import trimesh

    shape = trimesh.creation.box(size)
    return Mesh(shape.vertices + np.array(at), shape.faces)


class TestDistances:
    @pytest.fixture(autouse=True)
    def _needs_igl(self):
        pytest.importorskip("igl")

    def test_of_a_ball(self):
        from zero123pp.pipelines.training_data.shapes.distances import signed_distances

        points = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 3)).astype(np.float32)
        expected = np.linalg.norm(points, axis=1) - 0.3
        np.testing.assert_allclose(signed_distances([ball()], points), expected, atol=2e-3)

    def test_winding_and_overlaps_do_not_matter(self):
        from zero123pp.pipelines.training_data.shapes.distances import signed_distances

        points = np.random.default_rng(1).uniform(-0.5, 0.5, (400, 3)).astype(np.float32)
        solid = ball()
        inside_out = Mesh(solid.vertices, solid.faces[:, ::-1])
        np.testing.assert_allclose(signed_distances([inside_out], points), signed_distances([solid], points), atol=1e-6)
        two = [block((0.4, 0.2, 0.2), (-0.1, 0, 0)), block((0.4, 0.2, 0.2), (0.1, 0, 0))]
        inside = signed_distances(two, points) < 0
        union = (np.abs(points) < (0.3, 0.1, 0.1)).all(1)
        assert (inside == union).mean() > 0.995

    def test_a_sheet_gets_a_thickness(self):
        from zero123pp.pipelines.training_data.shapes.distances import SHEET_HALF_THICKNESS, signed_distances

        corners = np.array([[-0.4, 0, -0.4], [0.4, 0, -0.4], [0.4, 0, 0.4], [-0.4, 0, 0.4]])
        sheet = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))
        heights = np.array([-0.1, -0.004, 0.0, 0.004, 0.1])
        points = np.stack([np.full(5, 0.1), heights, np.full(5, 0.05)], -1).astype(np.float32)
        np.testing.assert_allclose(signed_distances([sheet], points), np.abs(heights) - SHEET_HALF_THICKNESS, atol=1e-6)

    def test_colors_are_those_of_the_parts(self):
        from zero123pp.pipelines.training_data.shapes.distances import sample_colored

        red = block((0.2, 0.2, 0.2), (-0.3, 0, 0))
        red = Mesh(red.vertices, red.faces, np.tile(np.uint8([[255, 0, 0]]), (len(red.vertices), 1)))
        found = sample_colored([red, block((0.2, 0.2, 0.2), (0.3, 0, 0))], 300, np.random.default_rng(0))
        left = found.points[:, 0] < 0
        assert 60 < left.sum() < 240
        assert (found.rgb[left] == (255, 0, 0)).all()
        assert (found.rgb[~left] == found.rgb[~left][0, 0]).all()
        np.testing.assert_allclose(np.abs(found.normals).max(1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def passed():
    """The arrays of a pass over a leaning bar beside a ball, as `run.py render shapes` stores them."""
    parts = [ball(0.15), block((0.1, 0.6, 0.1), (0.2, 0.05, 0.1))]
    rng = np.random.default_rng(3)
    tiles = render_tiles(parts, "v1.2", 64, rng)
    points = rng.uniform(-0.45, 0.45, (6000, 3)).astype(np.float32)
    off = np.abs(points - (0.2, 0.05, 0.1)) - (0.05, 0.3, 0.05)
    bar = np.linalg.norm(np.maximum(off, 0), axis=1) + np.minimum(off.max(1), 0)
    on_ball = rng.normal(size=(800, 3))
    on_ball /= np.linalg.norm(on_ball, axis=1, keepdims=True)
    return {
        "pixels": tiles.pixels,
        "world_from_cam": np.stack([c.world_from_cam for c in tiles.cameras]).astype(np.float32),
        "intrinsics": np.array([(c.fx, c.fy, c.cx, c.cy) for c in tiles.cameras], np.float32),
        "elevations_deg": tiles.elevations_deg,
        "points": points,
        "sdf": np.minimum(np.linalg.norm(points, axis=1) - 0.15, bar).astype(np.float32),
        "surface": np.concatenate([0.15 * on_ball, parts[1].vertices]).astype(np.float32),
        "surface_normals": np.concatenate([on_ball, np.ones((8, 3)) / 3**0.5]).astype(np.float32),
        "surface_rgb": np.full((808, 3), 179, np.uint8),
    }


def test_tiles_are_what_the_order_says(passed):
    positions = passed["world_from_cam"][:, :3, 3]
    azimuths = np.rad2deg(np.arctan2(positions[:, 0], positions[:, 2]))
    heights = np.rad2deg(np.arcsin(positions[:, 1] / np.linalg.norm(positions, axis=1)))
    upper, lower, inputs = np.split(azimuths, 3)
    assert np.allclose((lower - upper + 180) % 360, 180, atol=1e-3)
    assert np.allclose((upper - inputs) % 360, 30, atol=1e-3)
    assert np.allclose(heights, passed["elevations_deg"], atol=1e-3)
    assert np.allclose(heights[:AZIMUTHS], 20, atol=1e-3)
    for tile in passed["pixels"][2 * AZIMUTHS :]:  # input views fill their picture as cutouts do
        rows, columns = np.nonzero(tile[..., 3] > 127)
        assert 0.75 < max(np.ptp(rows), np.ptp(columns)) / 64 < 0.97


def test_one_view_is_told_that_nothing_lies_beyond_the_sphere(passed):
    from zero123pp.train.prior.samples import SampleConfig, draw

    config = dataclasses.replace(SampleConfig(), picture_px=64)
    one = draw(passed, "one", LIGHTS, config, np.random.default_rng(0))
    rig = draw(passed, "rig", LIGHTS, config, np.random.default_rng(0))
    assert len(one.points) == config.points + config.far and len(rig.points) == config.points
    far, sdf = one.points[config.points :], one.sdf[config.points :]
    assert (sdf > 0).all() and np.abs(one.points[: config.points]).max() < 1
    ends = np.abs(far[:, 2]) > 0.7  # the ends of the cone, where rendered passes have hardly a point
    assert ends.sum() > 20


@pytest.mark.parametrize("mode", ["one", "rig", "some"])
def test_solid_points_lie_behind_the_outlines(passed, mode):
    """Whatever is inside projects into every outline; the mirror image and the turn to the front keep that true."""
    from zero123pp.recon.prior.look_ups import statistics_at
    from zero123pp.train.prior.samples import SampleConfig, draw

    config = dataclasses.replace(SampleConfig(), picture_px=64, stale_elevation=0.0)
    for seed in range(4):
        sample = draw(passed, mode, LIGHTS, config, np.random.default_rng(seed))
        maps = torch.from_numpy(sample.pictures[None, :, 3:4])
        inside = sample.points[sample.sdf < -0.02]
        assert len(inside) > 50
        alpha = statistics_at(maps, torch.from_numpy(sample.matrices[None]), torch.from_numpy(inside[None]))[0, :, 0]
        # One view's camera is assumed: elevation, lens and depth are off by some degrees, so outlines fit roughly.
        assert alpha.mean() > (0.75 if mode == "one" else 0.97)


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


def test_irradiance_of_simple_skies():
    """A sky of one radiance L lights every direction with pi L; a bright zenith lights what faces up most."""
    from zero123pp.train.prior.lighting import Light, harmonics, irradiance_of

    directions = np.array([[0, 1, 0], [0, -1, 0], [1, 0, 0], [0.6, 0.0, 0.8]])
    even = harmonics(directions) @ irradiance_of(np.ones((64, 128, 3)))
    np.testing.assert_allclose(even, np.pi, rtol=0.02)
    sky = np.zeros((64, 128, 3))
    sky[:32] = 1
    half = harmonics(directions) @ irradiance_of(sky)  # scaled to a mean of pi: up 2 pi, sides pi, down 0
    np.testing.assert_allclose(half[:, 0], np.pi * np.array([2, 0, 1, 1]), atol=0.15)
    shaded = Light(irradiance_of(np.ones((64, 128, 3))) / np.pi, 0.3).shade(np.full((4, 3), 0.5), directions)
    np.testing.assert_allclose(shaded, 0.5, atol=0.01)
