"""Views warped into agreement."""

from dataclasses import replace

import numpy as np
import pytest

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.consistency.align_views import AlignConfig, align_views
from zero123pp.recon.consistency.silhouettes import inconsistency_px
from zero123pp.recon.fitting.fit import FitConfig
from zero123pp.types import MultiView

QUICK = FitConfig(levels=(24, 40), rays=8000)


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
