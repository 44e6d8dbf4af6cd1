"""Objects of any size before the v1.1 cameras, whose sheets do not promise one."""

import numpy as np
import pytest
from balls import ball_view

from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.fitting.frame import shown_radius
from zero123pp.recon.meshing.clean import clean
from zero123pp.recon.meshing.extract import extract
from zero123pp.rigs import RIGS
from zero123pp.types import MultiView, View


def _views(cameras):
    return [View(np.zeros((c.height, c.width, 3)), np.zeros((c.height, c.width)), c) for c in cameras]


def test_the_space_that_is_searched_is_what_the_pictures_show():
    narrow, wide = (shown_radius(_views(RIGS[name].cameras(64))) for name in ("v1.2", "v1.1"))
    assert narrow == pytest.approx(1.06 * 0.5)
    assert wide == pytest.approx(1.06 * 1.28439 * np.tan(np.deg2rad(49.13434264120263 / 2)))
    assert wide > 0.6


@pytest.mark.parametrize("radius", [0.2, 0.35, 0.485, 0.57])
def test_v11_balls_of_any_size_come_back_whole(radius):
    views = MultiView(tuple(ball_view(camera, radius=radius) for camera in RIGS["v1.1"].cameras(96)), source="balls")
    mesh, report = clean(extract(fit(views, FitConfig(levels=(24, 40), steps=40))))
    assert report["watertight"]
    distance = np.linalg.norm(mesh.vertices, axis=1)
    assert np.median(distance) == pytest.approx(radius, rel=0.03)
    assert distance.max() < 1.12 * radius
