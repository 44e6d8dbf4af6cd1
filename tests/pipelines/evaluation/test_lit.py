"""Lit pictures of known objects: light that stands still and light that goes with the camera."""

import numpy as np
import pytest
from solids import sphere

from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.evaluation.lit import Lighting, LitObject, azimuth_deg

pytest.importorskip("embreex")


@pytest.fixture(scope="module")
def lamp() -> Lighting:
    """One small bright lamp in the direction of +z, well above the horizon."""
    sky = np.full((16, 32, 3), 0.01)
    sky[4, 16] = 500
    return Lighting({"lamp": sky})


def brightness(lamp, fixed_to):
    """Mean brightness of a white ball from four sides."""
    cameras = [orbit_camera(azimuth, 0, 1.87, 30, 48) for azimuth in (0, 90, 180, 270)]
    white = sphere(0.4)
    lit = LitObject([white], lamp.light(np.random.default_rng(3), fixed_to), cameras)
    return np.array([view.rgb[view.alpha == 1].mean() for view in lit.metered]), lit, cameras


def test_a_lamp_that_stands_still_lights_one_side_and_one_that_follows_lights_all_alike(lamp):
    still, lit, cameras = brightness(lamp, "object")
    assert still.max() > 1.5 * still.min()
    follows, _, _ = brightness(lamp, "camera")
    np.testing.assert_allclose(follows, follows.mean(), rtol=0.05)
    again = lit.view(cameras[1])
    np.testing.assert_allclose(again.rgb[again.alpha == 1].mean(), still[1], atol=0.02)  # the same exposure
    assert again.depth is not None and again.normal is not None


def test_azimuths_are_those_of_the_orbit():
    for azimuth in (0, 30, 150, -90):
        assert azimuth_deg(orbit_camera(azimuth, 20, 2.0, 30, 32)) == pytest.approx(azimuth)
