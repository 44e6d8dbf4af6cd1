"""``run.py eval pictures``: agreement with the input picture, and with nothing else in its place."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from toy import toy_mesh

from zero123pp.cameras import orbit_camera
from zero123pp.images import to_uint8
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.models import MODELS, MultiViewModel
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView

SMALL = [
    "fit.steps=12",
    "fit.levels=[32]",
    "clean.faces=300",
    "texture.size=64",
    "cutout.size_px=96",
    "align.use=never",
]


class Bears(MultiViewModel):
    """Knows the object; its first view shows nothing of it, and says so."""

    name, licence, rig = "bears", "none", "v1.2"

    def generate(self, cutout, *, seed=0, steps=None, guidance=None, progress=None):
        first, *others = [render(toy_mesh(64), camera) for camera in get_rig(self.rig).cameras(64)]
        corner = np.zeros_like(first.alpha)
        corner[:4, :4] = 1
        return MultiView((replace(first, alpha=corner, confidence=0.0), *others), source=self.name, rig=self.rig)


@pytest.mark.parametrize("use", ["auto", "never"])
def test_the_front_is_the_input_picture_or_nothing(use, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "bears", Bears)
    view = render(toy_mesh(64), orbit_camera(0, 8, 2.15, 30, 64))
    Image.fromarray(to_uint8(np.dstack([view.rgb, view.alpha]))).save(tmp_path / "bear.png")
    values = [word for value in (*SMALL, f"register.use={use}") for word in ("--set", value)]
    paths = ["--images", str(tmp_path / "bear.png"), "--out", str(tmp_path)]
    assert main(["eval", "pictures", "--model", "bears", *paths, *values]) == 0
    row = next(csv.DictReader((tmp_path / "pictures.csv").read_text().splitlines()))
    if use == "never":
        assert row["front_IoU"] == row["front_PSNR"] == "nan"
    else:
        assert float(row["front_IoU"]) > 0.85 and float(row["front_PSNR"]) > 12
