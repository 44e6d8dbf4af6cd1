"""Sheets become posed views: given alpha is kept, plain backgrounds are keyed, normals are decoded."""

import numpy as np
import pytest
from toy import toy_mesh

from zero123pp.errors import BadInput
from zero123pp.images import over, tile_sheet, to_uint8
from zero123pp.pipelines.inputs.sheets import views_from_sheet
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS


@pytest.fixture(scope="module")
def bear_views():
    return [render(toy_mesh(), camera) for camera in RIGS["v1.2"].cameras(160)]


def _sheet(views, background=None, noise=0.0):
    rgb, alpha = np.stack([v.rgb for v in views]), np.stack([v.alpha for v in views])
    if background is None:
        return tile_sheet(to_uint8(np.concatenate([rgb, alpha[..., None]], -1)))
    drawn = over(rgb, alpha, background)
    return tile_sheet(to_uint8(drawn + np.random.default_rng(0).normal(0, noise, drawn.shape)))


def _iou(views, truth):
    return min(
        ((a.alpha > 0.5) & (b.alpha > 0.5)).sum() / ((a.alpha > 0.5) | (b.alpha > 0.5)).sum()
        for a, b in zip(views, truth)
    )


def test_given_alpha_is_kept(bear_views):
    found = views_from_sheet(_sheet(bear_views), "v1.2")
    assert found.rig == "v1.2" and len(found) == 6
    for view, truth in zip(found.views, bear_views):
        np.testing.assert_allclose(view.alpha, truth.alpha, atol=1 / 255)
        np.testing.assert_array_equal(view.camera.world_from_cam, truth.camera.world_from_cam)


def test_what_is_see_through_all_over_is_taken_for_opaque(bear_views):
    sheet = _sheet(bear_views)
    veiled = sheet.copy()
    veiled[..., 3] = np.round(0.4 * sheet[..., 3])
    for view, truth in zip(views_from_sheet(veiled, "v1.2").views, bear_views):
        np.testing.assert_allclose(view.alpha, truth.alpha, atol=0.02)


@pytest.mark.parametrize(("background", "noise"), [(127 / 255, 0.0), (127 / 255, 0.01), (1.0, 0.0), (1.0, 0.01)])
def test_plain_backgrounds_are_keyed(bear_views, background, noise):
    found = views_from_sheet(_sheet(bear_views, background, noise), "v1.2").views
    assert _iou(found, bear_views) > 0.97
    assert np.mean([np.abs(v.alpha - t.alpha).mean() for v, t in zip(found, bear_views)]) < 0.006


def test_a_handle_stays_open():
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.hypot(x, y)
    ring = (radius > 0.35) & (radius < 0.7)
    tile = np.where(ring[..., None], [0.6, 0.2, 0.1], 0.5)
    sheet = tile_sheet(to_uint8(np.stack([tile] * 6)))
    alpha = views_from_sheet(sheet, "v1.2").views[0].alpha
    assert alpha[48, 48] == 0 and alpha[48, 48 + 25] == 1


def test_normals_are_unit_vectors_on_the_object_only(bear_views):
    normals = tile_sheet(to_uint8(np.stack([v.normal for v in bear_views]) / 2 + 0.5))
    found = views_from_sheet(_sheet(bear_views), "v1.2", normals=normals).views
    for view, truth in zip(found, bear_views):
        length = np.linalg.norm(view.normal, axis=-1)
        assert set(np.unique(length.round(3))) <= {0.0, 1.0}
        assert (length[view.alpha < 0.9] == 0).all()
        known = length > 0
        assert (view.normal[known] * truth.normal[known]).sum(-1).mean() > 0.99


@pytest.mark.parametrize(
    ("shape", "rig", "message"),
    [
        ((960, 960, 3), "v1.2", "960x960"),
        ((24, 16, 3), "v1.2", "8 px"),
        ((96, 64, 3), "v3", "unknown rig 'v3'"),
        ((96, 64, 3), "v1.2", "no object"),
    ],
)
def test_bad_sheets_are_named(shape, rig, message):
    with pytest.raises(BadInput, match=message):
        views_from_sheet(np.full(shape, 127, np.uint8), rig)


def test_the_real_sheet_agrees_with_its_normals(shared):
    from PIL import Image

    sheet = np.asarray(Image.open(shared / "real" / "burger_v1.2.png"))
    normals = np.asarray(Image.open(shared / "real" / "burger_v1.2_normals.png")).astype(int)
    drawn = np.abs(normals - 126).max(-1) > 14
    keyed = tile_sheet(np.stack([view.alpha for view in views_from_sheet(sheet, "v1.2").views])) > 0.5
    assert (keyed & drawn).sum() / (keyed | drawn).sum() > 0.96
