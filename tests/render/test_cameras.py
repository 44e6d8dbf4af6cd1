"""Cameras of samples: those of the rig, cropped queries, mirror images."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera, project
from zero123pp.errors import ConfigError
from zero123pp.render.cameras import (
    QUERIES,
    VIEWS,
    cropped,
    draw_query,
    in_query_frame,
    query_camera,
    ring_cameras,
    sheet_views,
)
from zero123pp.render.draw import ViewsConfig, draw_pass
from zero123pp.rigs import RIGS, get_rig

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("query", [0, 5, 11])
def test_sheet_views_are_the_rigs_cameras_seen_from_the_query(rig, query):
    rig = get_rig(rig)
    ring = ring_cameras(rig, 17.0, 64)
    assert len(ring) == VIEWS
    azimuth = 17.0 + 30 * query
    for chosen, camera in zip(sheet_views(rig, query, mirrored=False), rig.cameras(64)):
        found = in_query_frame(ring[chosen], azimuth)
        np.testing.assert_allclose(found.world_from_cam, camera.world_from_cam, atol=1e-9)
        assert (found.fx, found.cx, found.width) == (camera.fx, camera.cx, camera.width)


@pytest.mark.parametrize("rig", RIGS)
def test_mirrored_views_are_the_rigs_cameras_of_the_mirrored_world(rig):
    rig = get_rig(rig)
    ring = ring_cameras(rig, -50.0, 64)
    azimuth = -50.0 + 30 * 4
    for chosen, camera in zip(sheet_views(rig, 4, mirrored=True), rig.cameras(64)):
        found = in_query_frame(ring[chosen], azimuth, mirrored=True)
        np.testing.assert_allclose(found.world_from_cam, camera.world_from_cam, atol=1e-9)


def test_a_mirrored_camera_makes_the_mirror_image():
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.3, 0.3, (50, 3))
    query = draw_query(130.0, (-20, 45), (20, 50), (0.75, 0.95), rng)
    camera = query_camera(query, points, 96)
    px, depth = project(camera, points)
    a = np.deg2rad(130.0)
    turned = points @ np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]).T
    own = in_query_frame(camera, 130.0)
    np.testing.assert_allclose(project(own, turned)[0], px, atol=1e-9)
    mirrored, mirrored_depth = project(in_query_frame(camera, 130.0, mirrored=True), turned * (-1, 1, 1))
    np.testing.assert_allclose(mirrored, np.stack([96 - px[:, 0], px[:, 1]], -1), atol=1e-9)
    np.testing.assert_allclose(mirrored_depth, depth)


def test_cropping_centres_the_box_at_the_given_fill():
    points = np.random.default_rng(1).uniform(-0.2, 0.4, (100, 3))
    px, _ = project(cropped(orbit_camera(40, 10, 2.0, 30, 128), points, 0.8), points)
    np.testing.assert_allclose((px.min(0) + px.max(0)) / 2, 64, atol=1e-9)
    assert np.ptp(px, axis=0).max() == pytest.approx(0.8 * 128)


def test_draws_stay_in_their_ranges_and_repeat():
    config = ViewsConfig(elevation_deg=(-20, 45), fov_deg=(20, 50))
    draws = [draw_pass(config, ["a", "b"], np.random.default_rng(seed)) for seed in range(40)]
    elevations = np.array([query.elevation_deg for draw in draws for query in draw.queries])
    assert elevations.min() > -20 and elevations.max() < 45 and np.ptp(elevations) > 60
    assert {draw.environment for draw in draws} == {"a", "b"}
    assert 0.25 < np.mean([draw.roughness > 0 for draw in draws]) < 0.75
    steps = np.diff([query.azimuth_deg for query in draws[0].queries])
    np.testing.assert_allclose(steps, 360 / QUERIES)
    assert draw_pass(config, ["a", "b"], np.random.default_rng(3)) == draws[3]


def test_the_whole_sphere_is_seen_before_cropping():
    rng = np.random.default_rng(0)
    for _ in range(50):
        query = draw_query(0, (-20, 45), (20, 50), (0.75, 0.95), rng)
        assert 0.5 / query.distance <= np.sin(np.deg2rad(query.fov_deg) / 2) + 1e-12


@pytest.mark.parametrize(
    "values",
    [
        {"tile_px": 0},
        {"light_samples": 1},
        {"elevation_deg": (50.0, -20.0)},
        {"elevation_deg": (0.0,)},
        {"fov_deg": (0.0, 30.0)},
        {"fill": (0.5, 1.5)},
        {"glossy": 1.5},
        {"passes": 0},
    ],
)
def test_bad_configs(values):
    with pytest.raises(ConfigError):
        ViewsConfig(**values)
