"""By which rig a sheet was drawn is told by its silhouettes, or asked."""

from dataclasses import replace

import numpy as np
import pytest
from toy import toy_mesh

from zero123pp.images import tile_sheet, to_uint8
from zero123pp.pipelines.inputs import Source
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS


def sheet_of(mesh, rig, side=96):
    views = [render(mesh, camera) for camera in RIGS[rig].cameras(side)]
    return tile_sheet(to_uint8(np.stack([np.dstack([view.rgb, view.alpha]) for view in views])))


@pytest.fixture(scope="module")
def toy():
    return toy_mesh(64)


@pytest.mark.parametrize("rig", RIGS)
def test_the_rig_whose_silhouettes_agree_is_taken_and_said(toy, rig):
    sheet = sheet_of(toy, rig)
    views, _ = Source(views=sheet).given_views()
    assert views.rig == rig and f"drawn by rig {rig}" in views.note and "--rig" in views.note
    for named in RIGS:
        told, _ = Source(views=sheet, rig=named).given_views()
        assert told.rig == named and told.note == ""
    assert Source(views=sheet, rig=rig).given_views()[0] == replace(views, note="")


def test_a_sheet_that_does_not_tell_is_asked_about():
    """Discs of one size in all tiles: a ball from any rig."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    disc = np.dstack([np.full((96, 96, 3), 200, np.uint8), np.where(np.hypot(x, y) < 0.5, 255, 0).astype(np.uint8)])
    views, _ = Source(views=tile_sheet(np.stack([disc] * 6))).given_views()
    assert views.rig == "v1.2" and "name its --rig" in views.note
