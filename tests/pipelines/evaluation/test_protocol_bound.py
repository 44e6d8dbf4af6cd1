"""What views see of the truth, told beside the distances of a reconstruction."""

import pytest
from solids import box

from zero123pp.pipelines.evaluation.protocol import Protocol, TrueObject
from zero123pp.rigs import get_rig


def test_the_truth_reaches_its_bound_and_half_a_box_does_not():
    whole, cameras = box((0.3, 0.2, 0.25)), get_rig("v1.2").cameras(96)
    truth = TrueObject([whole], Protocol("small", points=5000, grid=16, picture_px=64, threshold=0.05), views=cameras)
    found = truth.measure_surface(whole)
    assert 0.9 < found["seen"] <= found["bound"] <= 1
    assert found["F_over_bound"] == pytest.approx(1, abs=0.02)
    thinner = truth.measure_surface(box((0.3, 0.1, 0.25)))
    assert thinner["F_over_bound"] < 0.9 and thinner["completeness_seen"] > found["completeness_seen"]


def test_without_views_nothing_is_told_apart():
    truth = TrueObject([box()], Protocol("small", points=500, grid=16, picture_px=32))
    assert not {"seen", "bound", "accuracy_seen"} & set(truth.measure_surface(box()))
