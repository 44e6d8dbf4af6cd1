"""Flow between pictures, silhouettes that contradict each other, and views bent into agreement."""

from dataclasses import replace

import numpy as np
import pytest
from balls import ball_views

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.pipelines.evaluation.degrade import Degradation, degrade, smooth_field
from zero123pp.recon.consistency import warp as bend
from zero123pp.recon.consistency.align_views import HarmoniseConfig, harmonise
from zero123pp.recon.consistency.silhouettes import incoherence_px
from zero123pp.recon.fitting.fit import FitConfig
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
    same = bend.bent(view, np.zeros((2, 128, 128)))
    shown = view.alpha > 0
    assert np.allclose(same.alpha, view.alpha, atol=1e-6)
    assert np.allclose(same.rgb[shown], view.rgb[shown], atol=1e-5)
    moved = bend.bent(view, np.stack([np.full((128, 128), 2.0), np.full((128, 128), -3.0)]))
    assert np.allclose(moved.alpha[:-2, 3:], view.alpha[2:, :-3], atol=1e-6)


def test_flow_undoes_a_smooth_displacement(ball):
    view = ball.views[0]
    given = 1.5 * smooth_field((128, 128), 16, np.random.default_rng(4))
    found = bend.flow(bend.premultiplied(bend.bent(view, given)), bend.premultiplied(view), window_px=12, iterations=6)
    shown = view.alpha > 0.5
    back = bend.bent(bend.bent(view, given), found)
    before, after = (np.abs(v.rgb - view.rgb)[shown].mean() for v in (bend.bent(view, given), back))
    assert after < 0.5 * before
    assert np.sqrt(((given + found)[:, shown] ** 2).mean()) < 0.5 * np.sqrt((given[:, shown] ** 2).mean())


def test_flow_of_equal_pictures_is_none(ball):
    picture = bend.premultiplied(ball.views[0])
    assert np.abs(bend.flow(picture, picture, window_px=12, iterations=3)).max() < 1e-6


def test_displacements_grow_with_the_picture():
    small = np.stack([np.full((10, 20), 1.0), np.full((10, 20), -2.0)])
    large = bend.enlarged(small, (30, 40))
    assert large.shape == (2, 30, 40)
    assert np.allclose(large[0], 3) and np.allclose(large[1], -4)


def test_silhouettes_of_one_solid_are_coherent_and_bent_ones_are_not(ball, disagreeing):
    assert incoherence_px(ball.views) < 0.01
    assert incoherence_px(disagreeing.views) > 0.05


def test_silhouettes_without_a_common_place_are_incoherent_beyond_measure(ball):
    far = np.stack([np.full((128, 128), 60.0), np.zeros((128, 128))])
    apart = [bend.bent(v, far if i % 2 else -far) for i, v in enumerate(ball.views)]
    assert incoherence_px(apart) == np.inf


def test_coherent_views_stay_what_they_are(ball):
    same, said = harmonise(ball, HarmoniseConfig(), QUICK)
    assert same is ball
    assert set(said) == {"incoherence_px"}
    assert harmonise(ball, HarmoniseConfig(use="never"), QUICK) == (ball, {})


def test_contradicting_views_come_closer_to_each_other(disagreeing):
    seen = []
    bent, said = harmonise(disagreeing, HarmoniseConfig(), QUICK, progress=seen.append)
    assert incoherence_px(bent.views) < 0.8 * incoherence_px(disagreeing.views)
    assert len(said["bent_px"]) == 6 and 0 < min(said["bent_px"]) and max(said["bent_px"]) < 8
    assert seen == sorted(seen) and seen[-1] <= 1
    again, _ = harmonise(disagreeing, HarmoniseConfig(), QUICK)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(bent.views, again.views))


def test_views_without_an_object_are_refused(ball):
    empty = replace(ball.views[0], alpha=np.zeros((128, 128)))
    with pytest.raises(StageFailed, match="shows no object"):
        harmonise(MultiView((empty, *ball.views[1:]), "ball"), HarmoniseConfig(), QUICK)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"iterations": 0}, {"picture_px": 8}, {"window": 0}, {"window": 2}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        HarmoniseConfig(**wrong)
