"""What an alpha holds beside the object is left out, and the object stays what it is."""

import numpy as np
import pytest
from discs import soft_disc
from scipy.ndimage import gaussian_filter

from zero123pp.pipelines.cutout import CutoutConfig, choose, cut_out
from zero123pp.pipelines.cutout.recentre import object_box
from zero123pp.pipelines.cutout.stray import cleaned

pytestmark = pytest.mark.quick
SIDE = 200


def figure():
    """A head on a body on two legs, with edges one px wide."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5

    def box(left, top, right, bottom):
        return np.minimum.reduce([x - left, y - top, right - x, bottom - y])

    distance = np.maximum.reduce(
        [25 - np.hypot(x - 100, y - 60), box(70, 80, 130, 130), box(75, 125, 95, 170), box(105, 125, 125, 170)]
    )
    return np.clip(0.5 + distance, 0, 1).astype(np.float32)


def picture(alpha, colour=(200, 90, 40)):
    return np.dstack([np.broadcast_to(np.uint8(colour), (*alpha.shape, 3)), np.round(255 * alpha).astype(np.uint8)])


def over(top, below):
    return top + (1 - top) * below


def shadow(sigma=8.0, strength=0.5, shift=(0, 0)):
    below = np.zeros((SIDE, SIDE), np.float32)
    below[162 + shift[1] : 182 + shift[1], 50 + shift[0] : 150 + shift[0]] = strength
    return gaussian_filter(below, sigma)


def stray(name):
    alpha, chance = figure(), np.random.default_rng(0)
    if name == "specks":
        alpha[chance.integers(0, SIDE, 9), chance.integers(0, SIDE, 9)] = 1
    elif name == "dust":
        alpha[5:9, 5:9] = alpha[190:194, 180:183] = 0.8
    elif name == "faint patch":
        alpha[4:40, 150:190] = 0.4
    elif name == "haze":
        alpha = over(alpha, np.full_like(alpha, 0.06) + gaussian_filter(chance.random((SIDE, SIDE)), 9) * 0.04)
    elif name == "soft shadow":
        alpha = over(alpha, shadow())
    elif name == "shadow behind":
        alpha = over(alpha, 0.6 * gaussian_filter(np.roll(alpha, (10, 8), (0, 1)), 6))
    elif name == "glow":
        alpha = over(alpha, 0.5 * gaussian_filter(alpha, 7))
    elif name == "all of it":
        alpha = over(alpha, shadow(6, 0.4, (5, 4)))
        alpha[3, 3] = alpha[197, 100] = 1
    return alpha


@pytest.mark.parametrize(
    "name", ["specks", "dust", "faint patch", "haze", "soft shadow", "shadow behind", "glow", "all of it"]
)
def test_what_is_no_object_is_left_out(name):
    clean, found = cut_out(picture(figure())), cut_out(picture(stray(name)))
    for one, other in zip(object_box(found.rgba[..., 3] / 255), object_box(clean.rgba[..., 3] / 255)):
        assert abs(one - other) <= 0.01 * 768
    a, b = found.rgba[..., 3] > 127, clean.rgba[..., 3] > 127
    assert (a & b).sum() / (a | b).sum() > 0.985


def translucent_wing():
    alpha = figure()
    alpha[90:110, 130:185] = np.maximum(alpha[90:110, 130:185], 0.6)
    return alpha


def feathered():
    return gaussian_filter(figure(), 4)


def two_parts():
    alpha = figure()
    alpha[20:34, 160:174] = 1  # 3 % of the figure: a ball above its hand
    return alpha


@pytest.mark.parametrize(
    "alpha",
    [figure(), soft_disc(soft=1), soft_disc(soft=12), feathered(), translucent_wing(), two_parts(), 0 * figure()],
    ids=["figure", "disc", "soft disc", "feathered", "translucent wing", "two parts", "nothing"],
)
def test_what_is_object_stays(alpha):
    kept, notes = cleaned(alpha)
    np.testing.assert_array_equal(kept, alpha.astype(np.float32))
    assert notes == ()


@pytest.mark.parametrize("opacity", [0.2, 0.45, 0.7])
def test_what_is_see_through_all_over_is_taken_for_opaque(opacity):
    plain, found = cut_out(picture(figure())), cut_out(picture(opacity * figure()))
    assert np.abs(plain.rgba[..., 3].astype(int) - found.rgba[..., 3]).max() <= 8
    assert f"(alpha {opacity:.2f})" in found.notes[0] and plain.notes == ()


def test_shadows_are_told():
    assert any("soft shadow; they are left out" in note for note in cut_out(picture(stray("soft shadow"))).notes)


def test_a_clean_rim_of_transparency_is_an_outline():
    rim = np.zeros((SIDE, SIDE), np.float32)
    rim[1:-1, 1:-1] = 1
    corners = np.ones((SIDE, SIDE), np.float32)
    for rows in (slice(0, 4), slice(-4, None)):
        for columns in (slice(0, 4), slice(-4, None)):
            corners[rows, columns] = 0
    notch, vignette = np.ones_like(corners), np.ones_like(corners)
    notch[:8, :8] = 0
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    vignette -= np.clip(np.hypot(x, y) - 0.8, 0, 1)
    for alpha, method in ((rim, "alpha"), (corners, "alpha"), (notch, "bundled"), (vignette, "bundled")):
        assert choose(picture(alpha), CutoutConfig()) == method
    assert any("transparent rim" in note for note in cut_out(picture(corners)).notes)
    little = np.full((SIDE, SIDE, 4), 255, np.uint8)  # most of it is of one colour, and one corner is notched
    little[60:140, 60:140, :3] = (200, 30, 20)
    little[:8, :8, 3] = 0
    found = cut_out(little)
    assert found.method != "alpha" and any("nearly opaque picture" in note for note in found.notes)


def test_several_objects_are_told():
    both = np.maximum(np.roll(figure(), -60, 1), np.roll(figure(), 60, 1))
    assert cut_out(picture(both)).notes == (
        "2 separate objects are in the picture; one picture each gives better meshes",
    )
    assert cut_out(picture(two_parts())).notes == ()
