"""Irradiance of simple skies."""

import numpy as np
import pytest

pytestmark = pytest.mark.quick


def test_irradiance_of_simple_skies():
    """A sky of one radiance L lights every direction with pi L; a bright zenith lights what faces up most."""
    from zero123pp.train.one_view import harmonics, irradiance_of

    directions = np.array([[0, 1, 0], [0, -1, 0], [1, 0, 0], [0.6, 0.0, 0.8]])
    even = harmonics(directions) @ irradiance_of(np.ones((64, 128, 3)))
    np.testing.assert_allclose(even, np.pi, rtol=0.02)
    sky = np.zeros((64, 128, 3))
    sky[:32] = 1
    half = harmonics(directions) @ irradiance_of(sky)  # scaled to a mean of pi: up 2 pi, sides pi, down 0
    np.testing.assert_allclose(half[:, 0], np.pi * np.array([2, 0, 1, 1]), atol=0.15)
