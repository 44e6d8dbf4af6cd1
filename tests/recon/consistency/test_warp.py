"""Flow between pictures and views moved by it."""

import numpy as np
import pytest

from zero123pp.pipelines.evaluation.degrade import smooth_field
from zero123pp.recon.consistency.warp import enlarged, flow, warped
from zero123pp.recon.ops.resample import premultiplied

pytestmark = pytest.mark.quick


def test_no_displacement_changes_nothing_and_a_whole_one_shifts(ball):
    view = ball.views[0]
    same = warped(view, np.zeros((2, 128, 128)))
    shown = view.alpha > 0
    assert np.allclose(same.alpha, view.alpha, atol=1e-6)
    assert np.allclose(same.rgb[shown], view.rgb[shown], atol=1e-5)
    moved = warped(view, np.stack([np.full((128, 128), 2.0), np.full((128, 128), -3.0)]))
    assert np.allclose(moved.alpha[:-2, 3:], view.alpha[2:, :-3], atol=1e-6)


def test_flow_undoes_a_smooth_displacement(ball):
    view = ball.views[0]
    given = 1.5 * smooth_field((128, 128), 16, np.random.default_rng(4))
    found = flow(premultiplied(warped(view, given)), premultiplied(view), window_px=12, iterations=6)
    shown = view.alpha > 0.5
    back = warped(warped(view, given), found)
    before, after = (np.abs(v.rgb - view.rgb)[shown].mean() for v in (warped(view, given), back))
    assert after < 0.5 * before
    assert np.sqrt(((given + found)[:, shown] ** 2).mean()) < 0.5 * np.sqrt((given[:, shown] ** 2).mean())


def test_flow_of_equal_pictures_is_none(ball):
    picture = premultiplied(ball.views[0])
    assert np.abs(flow(picture, picture, window_px=12, iterations=3)).max() < 1e-6


def test_displacements_grow_with_the_picture():
    small = np.stack([np.full((10, 20), 1.0), np.full((10, 20), -2.0)])
    large = enlarged(small, (30, 40))
    assert large.shape == (2, 30, 40)
    assert np.allclose(large[0], 3) and np.allclose(large[1], -4)
