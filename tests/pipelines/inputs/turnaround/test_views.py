"""Turnarounds through the command line's own way in: posed views, and a closed mesh of the right shape."""

import numpy as np
import pytest
from drawn_turnarounds import SHEETS, rocket
from PIL import Image

from zero123pp.cameras import project
from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import Source
from zero123pp.pipelines.inputs.turnaround import camera_at, turnaround_views
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.meshing import CleanConfig, clean, extract

FAST = FitConfig(levels=(24, 40), steps=40)


def test_the_long_lens_sees_what_an_orthographic_camera_sees():
    camera = camera_at(90, 0, 200, 0.005)
    px, _ = project(camera, np.array([[0.4, 0.2, 0.0], [-0.4, 0.2, 0.0], [0.0, 0.0, 0.3]]))
    np.testing.assert_allclose(px, [[100, 60], [100, 60], [40, 100]], atol=0.05)  # +z stands to the left


@pytest.mark.parametrize("name", SHEETS)
def test_drawn_sheets_become_closed_bodies_of_their_outline(name):
    draw, rig = SHEETS[name]
    views = turnaround_views([draw()], (), rig, [name])
    assert views.source == rig and all(0 < view.confidence <= 1 for view in views.views)
    mesh, report = clean(extract(fit(views, FAST)), CleanConfig(faces=3000))
    assert report["watertight"] and report["manifold"]
    front = views.views[0]
    px, _ = project(front.camera, mesh.vertices)
    rows, columns = np.nonzero(front.alpha > 0.5)
    assert px.min(0) == pytest.approx([columns.min(), rows.min()], abs=6)
    assert px.max(0) == pytest.approx([columns.max() + 1, rows.max() + 1], abs=6)


def test_a_sheet_and_a_file_for_each_side_are_the_same(tmp_path):
    pixels = rocket()
    Image.fromarray(pixels).save(tmp_path / "sheet.png")
    for name, cell in zip(("front", "side", "back"), np.split(pixels, 3, axis=1)):
        Image.fromarray(cell).save(tmp_path / f"{name}.png")
    sheet, none = Source(views=str(tmp_path / "sheet.png"), rig="turnaround3").given_views()
    files = ",".join(str(tmp_path / f"{name}.png") for name in ("back", "front", "side"))
    apart, _ = Source(views=files, rig="turnaround3").given_views()
    assert none is None
    by_place = {tuple(np.round(view.camera.world_from_cam[:3, 2], 3)): view for view in apart.views}
    for view in sheet.views[:3]:
        same = by_place[tuple(np.round(view.camera.world_from_cam[:3, 2], 3))]
        assert np.abs(view.alpha - same.alpha).mean() < 2e-3


def test_what_does_not_go_together_is_refused(tmp_path):
    Image.fromarray(rocket()).save(tmp_path / "a.png")
    path = str(tmp_path / "a.png")
    with pytest.raises(BadInput, match="names 2 pictures; give rig"):
        Source(views=f"{path},{path}")
    with pytest.raises(BadInput, match="normals says nothing"):
        Source(views=path, rig="turnaround3", normals=path)
    with pytest.raises(BadInput, match="2 pictures given for turnaround4"):
        Source(views=[path, path], rig="turnaround4").given_views()
    with pytest.raises(BadInput, match=r"a\.png shows 3 figures beside each other; expected 4"):
        Source(views=path, rig="turnaround4").given_views()
