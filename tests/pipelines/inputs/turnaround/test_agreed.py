"""Outlines of a turnaround in agreement."""

import numpy as np
import pytest

from zero123pp.pipelines.inputs.turnaround.agreed import agreed

pytestmark = pytest.mark.quick


def figure(height, width, lean=0.0):
    """A blob that leans to one side, red to the left and blue to the right."""
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2 < 1
    inside &= x > lean * (height - y)
    rgb = np.zeros((height, width, 3), np.float32)
    rgb[..., 0], rgb[..., 2] = x < width / 2, x >= width / 2
    return np.dstack([rgb, inside.astype(np.float32)])


def test_all_get_one_height_and_opposite_sides_mirror_each_other():
    found = agreed({"front": figure(100, 60), "back": figure(120, 80, lean=0.1), "left": figure(90, 30)})
    assert {each.shape[0] for each in found.values()} == {120}
    assert found["front"].shape == found["back"].shape
    np.testing.assert_allclose(found["front"][..., 3], found["back"][:, ::-1, 3], atol=1e-6)
    assert found["left"].shape[1] == pytest.approx(40, abs=1)


def test_what_an_outline_gains_has_the_colour_beside_it():
    small, large = figure(100, 60), figure(100, 60)
    small[:, :12, 3] = 0  # of the front
    found = agreed({"front": small, "back": large})["front"]
    gained = (found[..., 3] > 0.5) & (small[..., 3] == 0)
    assert gained.sum() > 50
    assert (found[gained][:, 0] > 0.9).all() and (found[gained][:, 2] < 0.1).all()


def test_figures_that_agree_stay_as_they_are():
    same = figure(100, 60)
    found = agreed({"front": same, "back": same[:, ::-1]})["front"]
    np.testing.assert_array_equal(found[..., 3] > 0.5, same[..., 3] > 0.5)
