"""Flow between pictures, silhouettes that contradict each other, and views warped into agreement."""

from dataclasses import replace

import numpy as np
import pytest
from balls import ball_views

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.pipelines.evaluation.degrade import Degradation, degrade, smooth_field
from zero123pp.recon.consistency.align_views import AlignConfig, align_views
from zero123pp.recon.consistency.silhouettes import inconsistency_px
from zero123pp.recon.consistency.warp import enlarged, flow, warped
from zero123pp.recon.fitting.fit import FitConfig
from zero123pp.recon.ops.resample import premultiplied
from zero123pp.types import MultiView

QUICK = FitConfig(levels=(24, 40), rays=8000)
BEND = Degradation(warp_px=3)


@pytest.fixture(scope="module")
def ball():
    return MultiView(tuple(replace(view, normal=None) for view in ball_views(size=128).views), "ball")


@pytest.fixture(scope="module")
def disagreeing(ball):
    return MultiView(tuple(degrade(v, BEND, key="ball", index=i) for i, v in enumerate(ball.views)), "ball")


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


def test_silhouettes_of_one_solid_are_consistent_and_warped_ones_are_not(ball, disagreeing):
    assert inconsistency_px(ball.views) < 0.01
    assert inconsistency_px(disagreeing.views) > 0.05


def test_silhouettes_without_a_common_place_are_inconsistent_beyond_measure(ball):
    far = np.stack([np.full((128, 128), 60.0), np.zeros((128, 128))])
    apart = [warped(v, far if i % 2 else -far) for i, v in enumerate(ball.views)]
    assert inconsistency_px(apart) == np.inf


def test_coherent_views_stay_what_they_are(ball):
    same, said = align_views(ball, AlignConfig(), QUICK)
    assert same is ball
    assert set(said) == {"inconsistency_px"}
    assert align_views(ball, AlignConfig(use="never"), QUICK) == (ball, {})


def test_photographs_with_measured_cameras_are_warped_on_request_alone(disagreeing):
    captured = replace(disagreeing, captured=True)
    assert align_views(captured, AlignConfig(), QUICK) == (captured, {})
    aligned, said = align_views(captured, AlignConfig(use="always"), QUICK)
    assert min(said["warped_px"]) > 0 and aligned.captured


def test_contradicting_views_come_closer_to_each_other(disagreeing):
    seen = []
    aligned, said = align_views(disagreeing, AlignConfig(), QUICK, progress=seen.append)
    assert inconsistency_px(aligned.views) < 0.8 * inconsistency_px(disagreeing.views)
    assert len(said["warped_px"]) == 6 and 0 < min(said["warped_px"]) and max(said["warped_px"]) < 8
    assert seen == sorted(seen) and seen[-1] <= 1
    again, _ = align_views(disagreeing, AlignConfig(), QUICK)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(aligned.views, again.views))


def test_views_without_an_object_are_refused(ball):
    empty = replace(ball.views[0], alpha=np.zeros((128, 128)))
    with pytest.raises(StageFailed, match="shows no object"):
        align_views(MultiView((empty, *ball.views[1:]), "ball"), AlignConfig(), QUICK)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"iterations": 0}, {"picture_px": 8}, {"window": 0}, {"window": 2}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        AlignConfig(**wrong)
