"""What the reports say against a result is told in one line."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.reconstruct import doubts
from zero123pp.types import MultiView, View

pytestmark = pytest.mark.quick


def told(overlap, *, warped=None, picture=None, captured=False):
    camera = orbit_camera(0, 0, 2, 30, 320)
    view = View(np.zeros((320, 320, 3)), np.ones((320, 320)), camera)
    checked = {
        "agreement": {"silhouette_iou": overlap},
        "align": {} if warped is None else {"warped_px": warped},
        "picture": {} if picture is None else {"silhouette_iou": picture},
    }
    return list(doubts(checked, MultiView((view, view), "sheet", captured=captured)))


def test_good_results_say_nothing():
    assert told([0.98, 0.97]) == told([0.98, 0.97], warped=[1.0, 2.4], picture=0.9) == []


def test_views_that_contradict_each_other_are_told():
    (line,) = told([0.93, 0.95])
    assert "overlap by 94%" in line and "--rig" in line
    (line,) = told([0.98, 0.98], warped=[0.3, 3.2])
    assert "bent by up to 1.0% of their size" in line
    (line,) = told([0.9, 0.9], captured=True)
    assert "cameras and masks" in line


def test_a_picture_that_the_mesh_does_not_cover_is_told():
    (line,) = told([0.6, 0.6], picture=0.6)
    assert "overlap by 60% only" in line


@pytest.mark.parametrize(("use", "captured", "told"), [("never", False, 0), ("auto", True, 0), ("auto", False, 2)])
def test_where_nothing_is_to_be_aligned_no_such_stage_is_told(monkeypatch, use, captured, told):
    from zero123pp.pipelines import reconstruct
    from zero123pp.pipelines.progress import Stages
    from zero123pp.recon.consistency import AlignConfig

    monkeypatch.setattr(reconstruct, "align_views", lambda views, *rest, **more: (views, {}))
    camera = orbit_camera(0, 0, 2, 30, 32)
    views = MultiView((View(np.zeros((32, 32, 3)), np.ones((32, 32)), camera),) * 2, "sheet", captured=captured)
    seen = []
    config = reconstruct.ReconstructionConfig(align=AlignConfig(use=use))
    assert reconstruct.aligned_views(views, config, 0, Stages(lambda *tick: seen.append(tick))) == (views, {})
    assert len(seen) == told
