"""The solid between outlines."""

import numpy as np
import pytest

from zero123pp.pipelines.inputs.turnaround.solid import solid_of

pytestmark = pytest.mark.quick


def disc(height, width):
    y, x = np.mgrid[:height, :width] + 0.5
    return ((((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2) < 1).astype(np.float32)


def test_two_discs_make_nearly_a_ball_and_a_wide_one_with_a_narrow_one_an_ellipsoid():
    ball = solid_of({"front": disc(100, 100), "left": disc(100, 100)}, 0.008).vertices
    assert np.ptp(ball, axis=0) == pytest.approx([0.8, 0.8, 0.8], abs=0.03)
    diagonal = np.abs(ball @ [np.sqrt(0.5), 0, np.sqrt(0.5)]).max()
    assert 0.4 <= diagonal < 0.46  # the box of the outlines would reach to .57
    egg = solid_of({"front": disc(100, 60), "right": disc(100, 90)}, 0.008).vertices
    assert np.ptp(egg, axis=0) == pytest.approx([0.48, 0.8, 0.72], abs=0.03)


def test_the_left_picture_has_the_front_on_its_left():
    side = np.zeros((100, 60), np.float32)
    side[:50, :60], side[50:, :20] = 1, 1  # below only the front half stands
    low = solid_of({"front": disc(100, 40), "left": side}, 0.008).vertices
    low = low[low[:, 1] < -0.1]
    assert low[:, 2].min() > 0.05


def test_without_a_side_the_front_is_inflated():
    found = solid_of({"front": disc(100, 100), "back": disc(100, 100)}, 0.008).vertices
    assert np.ptp(found, axis=0)[:2] == pytest.approx([0.8, 0.8], abs=0.03)
    assert 0.3 < np.ptp(found[:, 2]) < 0.9
    np.testing.assert_allclose(found.max(0) + found.min(0), 0, atol=0.01)


def test_a_thin_plate_stays():
    plate = solid_of({"front": disc(100, 90), "left": np.ones((100, 2), np.float32)}, 0.008).vertices
    assert np.ptp(plate, axis=0)[:2] == pytest.approx([0.72, 0.8], abs=0.04)
    assert 0 < np.ptp(plate[:, 2]) < 0.05
