"""Silhouettes that contradict each other."""

import numpy as np

from zero123pp.recon.consistency.silhouettes import inconsistency_px
from zero123pp.recon.consistency.warp import warped


def test_silhouettes_of_one_solid_are_consistent_and_warped_ones_are_not(ball, disagreeing):
    assert inconsistency_px(ball.views) < 0.01
    assert inconsistency_px(disagreeing.views) > 0.05


def test_silhouettes_without_a_common_place_are_inconsistent_beyond_measure(ball):
    far = np.stack([np.full((128, 128), 60.0), np.zeros((128, 128))])
    apart = [warped(v, far if i % 2 else -far) for i, v in enumerate(ball.views)]
    assert inconsistency_px(apart) == np.inf
