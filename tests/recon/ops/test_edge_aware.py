"""Smoothing that stops at edges: what it leaves alone, how far it reaches, where it ends."""

import numpy as np

from zero123pp.recon.ops import smooth_within


def smoothed(values, across, down, support=6.0, rounds=3):
    values = np.array(values, np.float32)
    smooth_within(values, np.asarray(across, np.float32), np.asarray(down, np.float32), support, rounds)
    return values


def test_constants_stay_whatever_stands_between():
    rng = np.random.default_rng(0)
    ways = 1 + rng.exponential(5, (2, 20, 30))
    constant = np.broadcast_to([3.0, -1.0], (20, 30, 2))
    np.testing.assert_allclose(smoothed(constant, *ways), constant, rtol=1e-6)


def test_a_point_spreads_as_far_as_the_support_says():
    point = np.zeros((101, 101, 1))
    point[50, 50] = 1
    spread = smoothed(point, np.ones((101, 101)), np.ones((101, 101)))[..., 0]
    offsets = np.arange(101) - 50
    np.testing.assert_allclose(spread.sum(), 1, rtol=0.01)
    for along in (spread.sum(0), spread.sum(1)):
        np.testing.assert_allclose(np.sqrt((along * offsets**2).sum()), 6, rtol=0.1)


def test_nothing_crosses_a_cut_and_both_sides_become_even():
    rng = np.random.default_rng(1)
    left = np.arange(40) < 17
    values = np.where(left, 1.0, 5.0)[None, :, None] + rng.normal(0, 0.5, (40, 40, 1))
    across = np.ones((40, 40))
    across[:, 16] = 1e6
    result = smoothed(values, across, np.ones((40, 40)), support=30)
    for side in (left, ~left):
        np.testing.assert_allclose(result[:, side].mean(), values[:, side].mean(), atol=0.1)
        assert result[:, side].std() < 0.25 * values[:, side].std()
