"""Light on surfaces: the white furnace, shadows, one bounce, gloss, and what smoothing may and may not do."""

import dataclasses

import numpy as np
import pytest

from zero123pp.render.environment import Environment
from zero123pp.render.light import Points, Scene, smoothed_light
from zero123pp.render.point_kernels import seen_points

pytest.importorskip("embreex")

WHITE = Environment.of(np.ones((32, 64, 3)))


def zenith(width_rows: int = 1) -> Environment:
    """A small sun overhead."""
    panorama = np.full((64, 128, 3), 1e-3)
    panorama[:width_rows] = 1e3
    return Environment.of(panorama)


def white(face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    return np.ones((len(face), 3), np.float32)


def ball(radius: float = 0.4):
    import trimesh

    shape = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return np.asarray(shape.vertices), np.asarray(shape.faces)


def points_on_ball(count: int = 600, radius: float = 0.4) -> Points:
    vertices, faces = ball(radius)
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(faces), size=count)
    corners = vertices[faces[chosen]]
    position = (corners * rng.dirichlet((1, 1, 1), count)[..., None]).sum(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    arrays = (position, normal, normal, normal)
    return Points(*(np.asarray(array, np.float32) for array in arrays))


def facing_up(x: np.ndarray, height: float = 0.0) -> Points:
    position = np.stack([x, np.full_like(x, height), np.zeros_like(x)], -1).astype(np.float32)
    up = np.tile(np.float32([[0, 1, 0]]), (len(x), 1))
    return Points(position, up, up, up)


def phases(points: Points) -> np.ndarray:
    return (np.arange(len(points.position)) % 16).astype(np.int32)


def floor_and_roof(roof_height: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """A floor from x = -0.5 to 0.5 with a roof over its right half."""
    corners = [[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]]
    roof = [[0, roof_height, -0.5], [0.5, roof_height, -0.5], [0.5, roof_height, 0.5], [0, roof_height, 0.5]]
    return np.array(corners + roof), np.array([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]])


def test_white_furnace_on_a_convex_white_object():
    """In light of 1 from everywhere, what reflects everything is as bright as its surroundings: it vanishes."""
    points = points_on_ball()
    matt, gloss = Scene(*ball(), white).light_at(points, phases(points), WHITE, samples=512)
    assert matt.mean() == pytest.approx(1, abs=1e-3)
    assert np.abs(matt - 1).max() < 0.03
    assert not gloss.any()


def test_a_coat_reflects_no_more_than_it_gets():
    points = points_on_ball(300)
    scene = Scene(*ball(), white)
    for roughness in (0.35, 0.6, 0.9):
        matt, gloss = scene.light_at(points, phases(points), WHITE, samples=256, roughness=roughness)
        assert (gloss > 0.01).all()
        assert 0.93 < (matt + gloss).mean() < 1.005  # the model loses what facets throw on each other


def test_gloss_shows_the_sun_where_it_mirrors_it():
    environment = zenith()
    half = np.float32([0.5**0.5, 0.5**0.5, 0])  # mirrors the zenith to a viewer at +x
    eye = np.float32([1, 0, 0])
    tilted = np.float32([[np.cos(a), np.sin(a), 0] for a in np.deg2rad([45, 20, 70])])
    points = Points(0.4 * tilted, tilted, tilted, np.tile(eye, (3, 1)))
    _, gloss = Scene(*ball(), white).light_at(points, phases(points), environment, samples=64, roughness=0.35)
    assert gloss[0, 0] > 3 * gloss[1, 0] and gloss[0, 0] > 3 * gloss[2, 0]
    assert np.allclose(tilted[0], half, atol=1e-6)


def test_a_roof_casts_a_shadow_and_the_open_floor_has_none():
    x = np.linspace(-0.45, 0.45, 64)
    points = facing_up(x)
    vertices, faces = floor_and_roof()
    black = lambda face, barycentric: np.zeros((len(face), 3), np.float32)  # noqa: E731 - no light from the roof itself
    matt, _ = Scene(vertices, faces, black).light_at(points, phases(points), zenith(), samples=16)
    light = matt.mean(1)
    sunlit, shaded = light[x < -0.05], light[x > 0.05]
    assert sunlit.min() > 3  # all of the sun's light comes from one side, so this side gets four times the mean
    assert shaded.max() < 0.05 * sunlit.min()


def test_light_is_proportional_to_the_environment():
    points = facing_up(np.linspace(-0.45, 0.45, 32))
    scene = Scene(*floor_and_roof(), white)
    environment = Environment.of(np.random.default_rng(0).random((16, 32, 3)))
    brighter = dataclasses.replace(environment, radiance=environment.radiance * np.float32(4))
    one, _ = scene.light_at(points, phases(points), environment, seed=5)
    four, _ = scene.light_at(points, phases(points), brighter, seed=5)
    np.testing.assert_array_equal(four, 4 * one)


def test_one_bounce_brings_the_colour_of_the_neighbour():
    """Under the roof, light comes off the floor: black floors give none, red ones red, white ones less than the sky."""
    vertices, faces = floor_and_roof(0.1)
    x = np.linspace(0.1, 0.4, 16)
    below = facing_up(x, 0.1)
    down = -below.normal
    points = Points(below.position, down, down, down)  # the roof's underside

    def light(paint: tuple[float, float, float]) -> np.ndarray:
        albedo = lambda face, barycentric: np.tile(np.float32([paint]), (len(face), 1))  # noqa: E731
        return Scene(vertices, faces, albedo).light_at(points, phases(points), WHITE, samples=64)[0]

    none, red, all_of_it = light((0, 0, 0)), light((1, 0, 0)), light((1, 1, 1))
    assert (red[:, 0] >= none[:, 0]).all() and red[:, 0].mean() > none[:, 0].mean() + 0.1
    np.testing.assert_array_equal(red[:, 1:], none[:, 1:])
    assert all_of_it.mean() < 0.5  # two segments see less than all of the light in a narrow gap


def test_same_seed_same_light_other_seed_other_rays():
    points = points_on_ball(200)
    scene = Scene(*ball(), white)
    environment = Environment.of(np.random.default_rng(0).random((16, 32, 3)) ** 4)
    one, again, other = (scene.light_at(points, phases(points), environment, seed=s)[0] for s in (1, 1, 7))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_no_points_no_light():
    empty = Points(*(np.zeros((0, 3), np.float32),) * 4)
    matt, gloss = Scene(*ball(), white).light_at(empty, np.zeros(0, np.int32), WHITE)
    assert matt.shape == gloss.shape == (0, 3)


def test_smoothing_keeps_what_is_even_and_stops_at_edges():
    covered = np.ones((12, 12), bool)
    covered[0, :5] = False
    y, x = np.nonzero(covered)
    position = np.stack([x * 0.01, y * 0.01, np.zeros(len(x))], -1).astype(np.float32)
    normal = np.tile(np.float32([[0, 0, 1]]), (len(x), 1))
    normal[x >= 6] = (1, 0, 0)
    points = Points(position, normal, normal, normal)
    light = np.where(x >= 6, 5.0, 1.0).astype(np.float32)[:, None]
    np.testing.assert_allclose(smoothed_light(light, covered, points, 1.0), light, rtol=1e-6)
    pattern = np.random.default_rng(0).random((4, 4)).astype(np.float32)
    even = dataclasses.replace(points, normal=np.tile(np.float32([[0, 0, 1]]), (len(x), 1)))
    smooth = smoothed_light(pattern[y % 4, x % 4][:, None], covered, even, 1.0)[:, 0]
    inside = (x >= 2) & (x < 10) & (y >= 3) & (y < 10)
    np.testing.assert_allclose(smooth[inside], pattern.mean(), rtol=1e-5)


def test_smoothing_stops_at_a_step_in_depth():
    y, x = np.nonzero(np.ones((8, 8), bool))
    position = np.stack([x * 0.01, y * 0.01, np.where(x >= 4, 0.2, 0)], -1).astype(np.float32)
    normal = np.tile(np.float32([[0, 0, 1]]), (64, 1))
    light = np.where(x >= 4, 9.0, 1.0).astype(np.float32)[:, None]
    points = Points(position, normal, normal, normal)
    np.testing.assert_allclose(smoothed_light(light, np.ones((8, 8), bool), points, 0.015), light, rtol=1e-6)


def test_points_leave_their_facets_outwards_only():
    vertices, faces = (np.float32(ball()[0]), np.int32(ball()[1]))
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    smooth = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    eye = np.float32([0, 0, 3])
    face = np.flatnonzero((flat * (eye - corners.mean(1))).sum(1) > 0).astype(np.int32)
    weights = np.float32(np.random.default_rng(0).dirichlet((1, 1, 1), len(face)))
    on_facets = (corners[face] * weights[..., None]).sum(1)
    moved, normal, geometric, view = seen_points(face, weights, vertices, faces, smooth, flat, eye)
    before, after = np.linalg.norm(on_facets, axis=1), np.linalg.norm(moved, axis=1)
    assert (after >= before - 1e-6).all() and (after > before + 1e-6).mean() > 0.9
    assert (after < 0.4 + 1e-3).all()
    np.testing.assert_allclose(normal, moved / after[:, None], atol=2e-3)
    np.testing.assert_allclose(geometric, flat[face], atol=1e-6)
    np.testing.assert_allclose(
        view, (eye - on_facets) / np.linalg.norm(eye - on_facets, axis=1, keepdims=True), atol=1e-5
    )
    unmoved, faceted, _, _ = seen_points(face, weights, vertices, faces, 0 * smooth, flat, eye)
    np.testing.assert_allclose(unmoved, on_facets, atol=1e-6)
    np.testing.assert_array_equal(faceted, flat[face])


def test_the_back_of_a_face_is_shaded_as_its_front():
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    faces, flat = np.int32([[0, 1, 2]]), np.float32([[0, 0, 1]])
    smooth = np.float32([[0, 0.6, 0.8]] * 3)
    face, weights = np.zeros(1, np.int32), np.float32([[0.2, 0.3, 0.5]])
    _, front, _, _ = seen_points(face, weights, vertices, faces, smooth, flat, np.float32([0, 0, 2]))
    _, back, geometric, _ = seen_points(face, weights, vertices, faces, smooth, flat, np.float32([0, 0, -2]))
    np.testing.assert_allclose(back, -front, atol=1e-6)
    np.testing.assert_allclose(geometric, [[0, 0, -1]])
