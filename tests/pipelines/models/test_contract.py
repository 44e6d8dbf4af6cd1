"""What it takes to add a source of views: one class and one line in `MODELS`, depth control included."""

import csv

import numpy as np
import pytest
from render_files import write_meshes
from toy import toy_mesh, toy_picture

from zero123pp import ImageTo3D
from zero123pp.errors import BadInput
from zero123pp.images import to_float, untile_sheet
from zero123pp.pipelines.batch.identity import model_revision
from zero123pp.pipelines.batch.job import BatchSettings
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.models import MODELS, MultiViewModel
from zero123pp.pipelines.models.loading import load_model
from zero123pp.rigs import get_rig
from zero123pp.types import Cutout, MultiView, View

FAST = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64", "cutout.size_px=96", "align.use=never")


class Discs(MultiViewModel):
    """Draws a disc in the picture's mean colour; under depth, whatever the depth shows."""

    name, licence, rig, note = "discs", "CC0", "v1.1", "Discs, unless told better."
    controls = frozenset({"depth"})
    asked: list = []  # noqa: RUF012 - of all of them, for the tests

    def generate(self, cutout, *, seed=0, steps=None, guidance=None, progress=None, depth=None, depth_scale=0.5):
        self.asked.append((steps, depth_scale, depth is not None))
        size = self.sheet_size[0] // 2
        y, x = np.mgrid[:size, :size] / size - 0.5
        disc = (np.hypot(x, y) < 0.3).astype(np.float32)
        alphas = [disc] * 6 if depth is None else untile_sheet(to_float(depth[..., 3]))
        colour = cutout.rgba[cutout.rgba[..., 3] > 127, :3].mean(0) / 255
        rgb = np.broadcast_to(colour.astype(np.float32), (size, size, 3))
        if progress:
            progress(1.0)
        views = [View(rgb, alpha, camera) for alpha, camera in zip(alphas, get_rig(self.rig).cameras(size))]
        return MultiView(tuple(views), source=self.name, rig=self.rig)


@pytest.fixture(autouse=True)
def discs(monkeypatch):
    monkeypatch.setitem(MODELS, "discs", Discs)
    Discs.asked.clear()


def test_a_new_model_runs_through_the_main_job_with_and_without_depth():
    pipe = ImageTo3D.from_pretrained("discs", preset="fast", overrides=FAST)
    picture = toy_picture(96, background=False)
    made = pipe(picture, steps=7)
    assert made.report["model"] == "discs" and made.extras["licence"] == "CC0" and made.extras["note"] == Discs.note
    assert made.report["rig"] == "v1.1" and made.report["mesh"]["watertight"]
    under = pipe(picture, depth_from=toy_mesh(32), depth_scale=0.9)
    height = np.ptp(under.mesh.vertices, axis=0)[1]
    assert height == pytest.approx(np.ptp(toy_mesh(32).vertices, axis=0)[1], abs=0.05)  # not that of a disc
    again = pipe(picture, depth_refine=True)
    assert {"views", "proxy", "refined"} <= set(again.report["seconds"])
    assert Discs.asked == [(7, 0.5, False), (None, 0.9, True), (None, 0.5, False), (None, 0.5, True)]


def test_a_new_model_is_evaluated_with_and_without_depth(tmp_path):
    meshes = write_meshes(tmp_path / "meshes", 1)
    arguments = ["eval", "views", "--meshes", meshes, "--model", "discs", "--model", "preview", "--depth-control"]
    assert main([*map(str, arguments), "0.7", "--controlnet", "own/net", "--tile", "64", "--out", str(tmp_path)]) == 0
    rows = {row["method"]: row for row in csv.DictReader((tmp_path / "views.csv").read_text().splitlines())}
    assert "discs + depth" in rows and "preview" in rows and "preview + depth" not in rows
    assert float(rows["discs"]["alpha_IoU"]) < 0.8 < 0.95 < float(rows["discs + depth"]["alpha_IoU"])
    assert [scale for _, scale, is_under in Discs.asked if is_under] == [0.7]


def test_a_new_model_can_be_left_to_the_defaults(tmp_path):
    pipe = ImageTo3D.from_pretrained("discs", overrides=FAST)
    cutouts, ticks = [Cutout(np.full((8, 8, 4), 255, np.uint8))] * 2, []
    drawn = pipe.views_together(cutouts, seeds=[0, 1], progress=lambda stage, done: ticks.append(done))
    assert len(drawn) == 2 and ticks[-3:-1] == [0.5, 1.0]
    assert "discs" in model_revision("discs", BatchSettings(str(tmp_path)))
    with pytest.raises(BadInput, match="'discs' draws no normals"):
        pipe(toy_picture(96, background=False), with_normals=True)
    with pytest.raises(BadInput, match=r"'discs' .*takes no sampler"):
        load_model("discs", sampler="unipc")
    with pytest.raises(BadInput, match="64x96 px; expected 640x960 px"):
        pipe(toy_picture(96, background=False), depth=np.zeros((96, 64, 4), np.uint8))


def test_which_view_is_the_picture(tmp_path):
    drawn = load_model("inflated").generate(Cutout(np.full((32, 32, 4), 255, np.uint8)))
    assert drawn.input_view == 6 and drawn.views[6].camera.width == 32
    with pytest.raises(BadInput, match="0 to 6"):
        MultiView(drawn.views, "x", input_view=7)
