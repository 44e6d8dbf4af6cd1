"""Pictures of objects with their alpha."""

import argparse

import numpy as np
import pytest
from PIL import Image


def test_objects_are_rendered_with_their_alpha(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    from zero123pp.pipelines.commands.render_objects import add_arguments, run

    (tmp_path / "meshes").mkdir()
    trimesh.creation.icosphere(subdivisions=2).export(tmp_path / "meshes" / "ball.ply")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--meshes", str(tmp_path / "meshes"), "--out", str(tmp_path / "out"), "--pictures", "2", "--size-px", "64"]
    assert run(parser.parse_args(words)) == 0
    files = sorted((tmp_path / "out").rglob("*.png"))
    assert [file.name for file in files] == ["ball_0.png", "ball_1.png"]
    with Image.open(files[0]) as picture:
        alpha = np.asarray(picture)[..., 3] > 127
    assert alpha.mean() == pytest.approx(np.pi / 4, abs=0.06)  # a disc fills this share of its own box
