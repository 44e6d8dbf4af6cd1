"""Distorted pictures are straightened: what a known lens does to points and pictures is undone."""

import numpy as np
import pytest

from zero123pp.pipelines.inputs.distortion import Distortion, straightened

FOCAL, MIDDLE = (180.0, 170.0), (84.0, 76.0)
LENSES = {
    "barrel": Distortion((-0.28, 0.09, 0, 0, 0, 0), (0.001, -0.002)),
    "pincushion": Distortion((0.15, 0.02, 0, 0, 0, 0)),
    "rational": Distortion((0.4, 0.1, 0.01, 0.6, 0.1, 0.02), (-0.001, 0.0005)),
    "fisheye": Distortion((0.05, -0.02, 0.003, -0.0005), fisheye=True),
}


def disc(x, y, centre, radius):
    """Coverage of a disc of the pinhole's plane at coordinates x, y; edges are one px wide."""
    return np.clip(0.5 - (np.hypot(x - centre[0], y - centre[1]) - radius) * FOCAL[0], 0, 1)


def seen_by(lens, centre, radius, size=(160, 150)):
    """What the lens sees of the disc, (H, W, 4) uint8; the lens inverted by Newton's method, so by other means."""
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    want = np.stack([(columns - MIDDLE[0]) / FOCAL[0], (rows - MIDDLE[1]) / FOCAL[1]])
    at = want.copy()
    for _ in range(30):
        eps, got = 1e-6, np.stack(lens(*at))
        dx, dy = (np.stack(lens(at[0] + a, at[1] + b)) - got for a, b in ((eps, 0), (0, eps)))
        (a, c), (b, d) = dx / eps, dy / eps
        off = want - got
        at += np.stack([d * off[0] - b * off[1], a * off[1] - c * off[0]]) / (a * d - b * c)
    assert np.abs(np.stack(lens(*at)) - want).max() < 1e-9
    alpha = disc(*at, centre, radius)
    return np.dstack([np.full((*alpha.shape, 3), 200.0), 255 * alpha]).round().astype(np.uint8)


def test_the_models_are_those_of_opencv():
    """Values of cv2.projectPoints and cv2.fisheye.distortPoints at (0.3, -0.2)."""
    x, y = np.array(0.3), np.array(-0.2)
    r2, t = 0.13, np.arctan(np.sqrt(0.13))
    radial = (1 - 0.28 * r2 + 0.09 * r2**2) / 1
    want = (0.3 * radial + 2 * 0.001 * -0.06 - 0.002 * (r2 + 0.18), -0.2 * radial + 0.001 * (r2 + 0.08) - 0.004 * -0.06)
    assert LENSES["barrel"](x, y) == pytest.approx(want, abs=1e-12)
    bent = t * (1 + 0.05 * t**2 - 0.02 * t**4 + 0.003 * t**6 - 0.0005 * t**8) / np.sqrt(r2)
    assert LENSES["fisheye"](x, y) == pytest.approx((0.3 * bent, -0.2 * bent), abs=1e-12)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.2, -0.15)])
def test_a_disc_is_round_and_in_its_place_again(name, centre):
    bent = seen_by(LENSES[name], centre, 0.15)
    pixels, (cx, cy) = straightened(bent, FOCAL, MIDDLE, LENSES[name])
    columns, rows = np.meshgrid(np.arange(pixels.shape[1]) + 0.5, np.arange(pixels.shape[0]) + 0.5)
    want = disc((columns - cx) / FOCAL[0], (rows - cy) / FOCAL[1], centre, 0.15)
    off = np.abs(pixels[..., 3] / 255.0 - want)
    assert off.sum() < 0.02 * want.sum() and off.max() < 0.35
    assert np.abs(pixels[..., :3][want > 0.9].astype(int) - 200).max() <= 1
    bad = np.abs(bent[..., 3] / 255.0 - disc((np.arange(160) + 0.5 - MIDDLE[0]) / FOCAL[0],
        ((np.arange(150) + 0.5 - MIDDLE[1]) / FOCAL[1])[:, None], centre, 0.15))  # fmt: skip
    assert name == "pincushion" or centre == (0.0, 0.0) or bad.sum() > 3 * off.sum()  # there was something to mend


def test_a_fisheye_makes_room_for_what_it_sees_far_off_the_axis():
    lens = LENSES["fisheye"]
    bent = np.zeros((150, 160, 4), np.uint8)
    bent[70:80, 150:160] = 255  # at the rim
    pixels, (cx, _) = straightened(bent, (60.0, 60.0), MIDDLE, lens)
    assert pixels.shape[1] > 200 and (pixels[..., 3] > 128).any()
    r, out = lens.radii()
    columns = np.flatnonzero((pixels[..., 3] > 128).any(0)) + 0.5
    want = np.interp((150 - MIDDLE[0]) / 60, out, r)
    assert (columns[0] - cx) / 60 == pytest.approx(want, abs=0.02)


def test_a_lens_that_folds_shows_nothing_twice():
    lens = Distortion((-0.5, 0, 0, 0, 0, 0))
    r, bent = lens.radii()
    assert np.all(np.diff(bent) > 0) and r[-1] == pytest.approx(
        np.sqrt(2 / 3), abs=0.01
    )  # where r - r^3 / 2 is highest
    full = np.full((150, 160, 4), 255, np.uint8)
    pixels, (cx, cy) = straightened(full, (60.0, 60.0), MIDDLE, lens)
    columns, rows = np.meshgrid(np.arange(pixels.shape[1]) + 0.5, np.arange(pixels.shape[0]) + 0.5)
    assert not pixels[..., 3][np.hypot((columns - cx) / 60, (rows - cy) / 60) > r[-1] + 0.02].any()
