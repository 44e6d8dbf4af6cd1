"""Colours at the edge without those of the background."""

import numpy as np
import pytest
from discs import GREEN, RED, soft_disc

from zero123pp.images import over
from zero123pp.pipelines.cutout.foreground import estimate_foreground

pytestmark = pytest.mark.quick


def test_edges_lose_the_colour_of_the_background():
    alpha = soft_disc()
    truth = np.broadcast_to(RED, (*alpha.shape, 3))
    picture = over(truth, alpha, GREEN).astype(np.float32)
    edge = (alpha > 0.1) & (alpha < 0.95)
    before = np.abs(picture - truth)[edge].mean()
    after = np.abs(estimate_foreground(picture, alpha) - truth)[edge].mean()
    assert before > 0.25 and after < 0.02


def test_estimated_foreground_composes_to_the_picture():
    alpha = soft_disc()
    rng = np.random.default_rng(0)
    picture = np.clip(over(RED, alpha, GREEN) + rng.normal(0, 0.02, (200, 200, 3)), 0, 1).astype(np.float32)
    foreground = estimate_foreground(picture, alpha)
    assert np.array_equal(foreground[alpha == 1], picture[alpha == 1])
    assert np.abs(over(foreground, alpha, GREEN) - picture).max() < 0.12
