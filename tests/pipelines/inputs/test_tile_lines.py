"""Lines along the borders of a sheet's tiles are no object."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zero123pp.images import tile_sheet, to_float, to_uint8, untile_sheet
from zero123pp.pipelines.inputs.sheets import views_from_sheet
from zero123pp.pipelines.inputs.tile_lines import without_lines

SIDE = 160


def plain(background=0.5, drift=0.0):
    """Six tiles (6, S, S, 3) with a red ball each, on a background that may drift across the tile."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    ground = background + drift * y
    cover = np.clip(0.5 + (0.6 - np.hypot(x, y)) * SIDE / 2, 0, 1)[..., None]
    tile = cover * np.array([0.7, 0.1, 0.1]) + (1 - cover) * ground[..., None]
    return np.stack([tile] * 6).astype(np.float32)


def lined(width, colour, blur=0.0, **more):
    sheet = tile_sheet(plain(**more))
    height, across = sheet.shape[:2]
    mask = np.zeros((height, across))
    for at in (SIDE, 2 * SIDE):
        mask[at - width // 2 : at - width // 2 + width] = 1
    mask[:, SIDE - width // 2 : SIDE - width // 2 + width] = 1
    mask = gaussian_filter(mask, blur)[..., None] if blur else mask[..., None]
    return to_uint8(mask * np.array(colour) + (1 - mask) * sheet)


@pytest.mark.quick
@pytest.mark.parametrize(
    "sheet",
    [
        lined(1, (0, 0, 0)),
        lined(2, (1, 1, 1)),
        lined(4, (0.1, 0.2, 0.9)),
        lined(8, (0, 0, 0)),
        lined(2, (0, 0, 0), blur=0.7),
        lined(3, (0.7, 0.7, 0.7)),
        lined(2, (0, 0, 0), background=1.0),
    ],
    ids=["1 px", "white", "blue", "wide", "soft", "pale", "on white"],
)
def test_a_grid_over_the_sheet_is_no_object(sheet):
    for view in views_from_sheet(sheet, "v1.2").views:
        rim = np.ones((SIDE, SIDE), bool)
        rim[12:-12, 12:-12] = False
        assert not (view.alpha[rim] > 0.1).any()
        assert (view.alpha > 0.5).mean() == pytest.approx(np.pi * 0.36 / 4, rel=0.03)


def test_a_grid_with_an_alpha_of_its_own_is_none_either():
    rgba = np.concatenate([lined(2, (0, 0, 0)), np.zeros((3 * SIDE, 2 * SIDE, 1), np.uint8)], -1)
    line = np.abs(rgba[..., :3].astype(int) - to_uint8(tile_sheet(plain()))).max(-1) > 2
    ball = np.abs(to_uint8(tile_sheet(plain())).astype(int) - 128).max(-1) > 20
    rgba[..., 3] = 255 * (line | ball)
    assert rgba[0, SIDE, 3] == 255
    for view in views_from_sheet(rgba, "v1.2").views:
        assert not view.alpha[:8].any() and not view.alpha[:, :8].any() and not view.alpha[:, -8:].any()


@pytest.mark.quick
def test_tiles_without_lines_stay_what_they_are():
    cut_off = plain()
    cut_off[:, 100:, 20:140] = (0.2, 0.6, 0.3)  # stands on the lower border, all but as wide as the tile
    noise = np.random.default_rng(0).normal(0, 0.02, (6, SIDE, SIDE, 3)).astype(np.float32)
    for tiles in (plain(), plain(drift=0.1), plain(drift=-0.2), cut_off, plain() + noise):
        np.testing.assert_array_equal(without_lines(tiles), tiles)
    sheet = np.dstack([to_uint8(tile_sheet(plain())), np.full((3 * SIDE, 2 * SIDE), 255, np.uint8)])
    tiles = to_float(untile_sheet(sheet))
    np.testing.assert_array_equal(without_lines(tiles), tiles)
