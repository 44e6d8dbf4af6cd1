"""Environment maps as lights: directions, drawing in proportion to brightness."""

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.render.environment import Environment, shrunk
from zero123pp.render.light_kernels import _texel
from zero123pp.render.ray_tables import pixel_phases, ray_tables

pytestmark = pytest.mark.quick


def spot(row: int, column: int, height: int = 32) -> np.ndarray:
    panorama = np.full((height, 2 * height, 3), 1e-4)
    panorama[row, column] = 1e4
    return panorama


def brightest(environment: Environment) -> np.ndarray:
    """Mean direction of drawn rays."""
    return ray_tables(environment, 16, 8, 0).sky.reshape(-1, 3).mean(0)


def test_where_directions_lie():
    middle, right = brightest(Environment.of(spot(16, 32))), brightest(Environment.of(spot(16, 40)))
    np.testing.assert_allclose(middle, (0, 0, 1), atol=0.1)
    # A viewer in the middle of the world who looks along +z with +y up has -x on the right.
    np.testing.assert_allclose(right, (-(0.5**0.5), 0, 0.5**0.5), atol=0.1)
    np.testing.assert_allclose(brightest(Environment.of(spot(0, 5))), (0, 1, 0), atol=0.1)


def test_turning_is_counter_clockwise_from_above():
    turned = brightest(Environment.of(spot(16, 32), turn_deg=90))
    np.testing.assert_allclose(turned, (1, 0, 0), atol=0.1)  # azimuth 90


def test_drawn_directions_lie_in_their_texels():
    panorama = np.random.default_rng(0).gamma(0.3, size=(16, 32, 3))
    environment = Environment.of(panorama)
    tables = ray_tables(environment, 64, 8, 3)
    assert np.allclose(np.linalg.norm(tables.sky, axis=-1), 1, atol=1e-5)
    found = np.array([_texel(*direction, 16, 32) for direction in tables.sky.reshape(-1, 3).astype(float)])
    assert (found == tables.sky_texels.reshape(-1)).mean() > 0.999  # float32 may round over an edge


def test_the_share_of_draws_is_the_share_of_light():
    panorama = np.random.default_rng(1).gamma(0.5, size=(8, 16, 3))
    environment = Environment.of(panorama)
    tables = ray_tables(environment, 256, 64, 0)
    counts = np.bincount(tables.sky_texels.reshape(-1), minlength=128) / tables.sky_texels.size
    edges = np.cos(np.pi * np.arange(9) / 8)
    solid_angle = np.repeat((edges[:-1] - edges[1:])[:, None] * (2 * np.pi / 16), 16, 1)
    np.testing.assert_allclose((environment.density * solid_angle).sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(counts, (environment.density * solid_angle).reshape(-1), atol=2e-3)


def test_brightness_is_normalised_and_colour_on_request():
    panorama = np.random.default_rng(2).random((16, 32, 3)) * (40, 10, 2)
    share = np.repeat(-np.diff(np.cos(np.pi * np.arange(17) / 16))[:, None] / 2 / 32, 32, 1)[..., None]
    mean = (Environment.of(panorama).radiance * share).sum((0, 1))
    assert mean.mean() == pytest.approx(1, rel=1e-5) and mean[0] > 2 * mean[1]
    balanced = (Environment.of(panorama, balanced=True).radiance * share).sum((0, 1))
    np.testing.assert_allclose(balanced, 1, rtol=1e-5)


def test_shrinking_keeps_the_light():
    panorama = np.random.default_rng(3).random((1024, 2048, 3))
    small = shrunk(panorama)
    assert small.shape == (256, 512, 3)

    def total(values: np.ndarray) -> np.ndarray:
        rows = -np.diff(np.cos(np.pi * np.arange(len(values) + 1) / len(values)))
        return (values.mean(1) * rows[:, None]).sum(0)

    np.testing.assert_allclose(total(small), total(panorama), rtol=1e-9)


def test_any_part_of_the_pattern_is_even():
    phases = pixel_phases(np.ones((8, 8), bool)).reshape(8, 8)
    assert sorted(phases[2:6, 3:7].reshape(-1)) == list(range(16))
    for y in range(0, 8, 2):  # the samples of one pixel are far apart in the sequence
        block = np.sort(phases[y : y + 2, :2].reshape(-1))
        assert np.diff(block).min() >= 2


@pytest.mark.parametrize(
    "panorama",
    [
        np.zeros((8, 16, 3)),
        np.ones((8, 8, 3)),
        np.ones((8, 16)),
        np.full((8, 16, 3), np.nan),
        np.full((8, 16, 3), -1.0),
        np.full((8, 16, 3), np.inf),
    ],
)
def test_maps_that_are_no_light(panorama):
    with pytest.raises(BadInput):
        Environment.of(panorama)
