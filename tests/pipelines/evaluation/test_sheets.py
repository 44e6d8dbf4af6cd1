"""Sheets of views: the true ones, trivial answers, and what they score."""

import numpy as np
import pytest
from oracle import Oracle
from render_files import write_meshes

from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet, to_uint8, untile_sheet
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.sheets import (
    GRAY,
    Sheet,
    blank,
    differences,
    drawn_by,
    repeated,
    resized,
    true_sheets,
)
from zero123pp.recon.meshing.parts import load_normalised

TILE = 48


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return write_meshes(tmp_path_factory.mktemp("meshes"), 3)


@pytest.fixture(scope="module")
def truth(meshes):
    parts = load_normalised(meshes / "tower_0.glb")
    return true_sheets("tower_0", parts, 0, ["v1.2", "v1.1"], TILE, seed=0, lighting=None)


def test_true_sheets_are_those_of_the_turned_object(truth):
    views = ground_truth_views(truth.parts, "v1.2", tile_px=TILE)
    rgba = tile_sheet(np.stack([np.dstack([view.rgb, view.alpha]) for view in views.views]))
    np.testing.assert_allclose(truth.sheets["v1.2"].rgb, Sheet.of(rgba).rgb, atol=1e-6)
    assert set(truth.sheets) == {"v1.2", "v1.1"}
    assert truth.cutout.rgba.shape[2] == 4 and (truth.cutout.rgba[..., 3] > 127).mean() > 0.05


def test_perfect_and_empty_answers(truth):
    true = truth.sheets["v1.2"]
    perfect = differences(true, true)
    assert perfect["PSNR"] == np.inf and perfect["SSIM"] == pytest.approx(1) and perfect["alpha_IoU"] == 1
    nothing = differences(blank(TILE), true)
    assert nothing["alpha_IoU"] == 0 and nothing["PSNR"] < 25
    shifted = Sheet(np.roll(true.rgb, 3, 1), np.roll(true.alpha, 3, 1))
    assert nothing["SSIM"] < 1 and differences(shifted, true)["alpha_IoU"] < 0.95


def test_psnr_is_of_the_whole_sheet(truth):
    true = truth.sheets["v1.2"]
    off = Sheet(true.rgb + np.float32(0.1), true.alpha)
    assert differences(off, true)["PSNR"] == pytest.approx(20, abs=1e-3)


def test_the_background_is_the_gray_of_the_sheets():
    assert (blank(8).rgb == np.float32(127 / 255)).all() and pytest.approx(127 / 255) == GRAY


def test_repeating_puts_the_input_into_each_tile(truth):
    tiles = untile_sheet(repeated(truth, TILE).rgb)
    assert tiles.shape == (6, TILE, TILE, 3)
    for tile in tiles[1:]:
        np.testing.assert_array_equal(tile, tiles[0])
    alpha = untile_sheet(repeated(truth, TILE).alpha)[0]
    assert alpha.mean() == pytest.approx((truth.cutout.rgba[..., 3] / 255).mean(), abs=0.01)


def test_resizing_keeps_tiles_apart():
    rgba = np.zeros((6, 40, 40, 4), np.float32)
    rgba[0] = 1
    small = resized(Sheet.of(tile_sheet(rgba)), 10)
    np.testing.assert_allclose(untile_sheet(small.alpha)[0], 1, atol=1e-6)
    np.testing.assert_allclose(untile_sheet(small.alpha)[1:], 0, atol=1e-6)
    large = resized(Sheet.of(tile_sheet(rgba)), 64)
    np.testing.assert_allclose(untile_sheet(large.rgb)[1:], GRAY, atol=1e-6)


def test_sheets_on_white_are_put_on_gray(truth):
    true = truth.sheets["v1.2"]

    class OnWhite(Oracle):
        name = "white"

        def generate_sheet(self, cutout, **options):
            return to_uint8(true.rgb + (1 - GRAY) * (1 - true.alpha[..., None]))

    found = drawn_by(OnWhite([]), truth, TILE, seed=0, steps=None, guidance=None)
    assert np.abs(found.rgb[true.alpha == 0] - GRAY).mean() < 0.01
    assert differences(found, true)["PSNR"] > 22 and differences(found, true)["alpha_IoU"] > 0.85


def test_lit_truth_is_lit(meshes):
    pytest.importorskip("embreex")
    from zero123pp.pipelines.evaluation.lit import Lighting

    parts = load_normalised(meshes / "tower_2.glb")
    sky = np.full((16, 32, 3), 0.01)
    sky[2, 4] = 500
    lit = true_sheets("t", parts, 0, ["v1.2"], TILE, seed=1, lighting=Lighting({"sky": sky})).sheets["v1.2"]
    unlit = true_sheets("t", parts, 0, ["v1.2"], TILE, seed=1, lighting=None).sheets["v1.2"]
    np.testing.assert_allclose(lit.alpha, unlit.alpha, atol=1 / 255)
    assert np.abs(lit.rgb - unlit.rgb)[unlit.alpha == 1].mean() > 0.05


def test_depth_control_needs_a_model_that_can(truth):
    with pytest.raises(BadInput, match="depth"):
        drawn_by(Oracle([truth.sheets["v1.2"]]), truth, TILE, seed=0, steps=None, guidance=None, depth_scale=0.75)
