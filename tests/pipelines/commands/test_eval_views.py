"""``run.py eval views``: whole runs, lit truth, the mean of training samples, and bad usage."""

import csv

import numpy as np
import pytest
from oracle import Oracle
from paths import ROOT
from render_files import write_lights, write_meshes

from zero123pp.pipelines import models as sources
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.evaluation.sheets import (
    mean_sheet,
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


def test_a_whole_run(meshes, truth, tmp_path, monkeypatch, capsys):
    answers = []
    for number in range(3):
        parts = load_normalised(meshes / f"tower_{number}.glb")
        answers.append(true_sheets(f"tower_{number}", parts, 0, ["v1.2"], TILE, seed=0, lighting=None).sheets["v1.2"])
    monkeypatch.setitem(
        sources.MODELS, "oracle", type("Known", (Oracle,), {"load": lambda name, options: Oracle(answers)})
    )
    command = [
        "eval",
        "views",
        "--meshes",
        str(meshes),
        "--model",
        "oracle",
        "--model",
        "inflated",
        "--tile",
        str(TILE),
    ]
    assert main([*command, "--out", str(tmp_path), "--name", "t"]) == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    means = {row["method"]: row for row in rows if row["object"] == "MEAN"}
    assert set(means) == {"oracle", "inflated", "repeat", "gray", "oracle, wrong input", "inflated, wrong input"}
    assert float(means["oracle"]["PSNR"]) > 60 and float(means["oracle"]["alpha_IoU"]) == 1
    assert float(means["oracle, wrong input"]["alpha_IoU"]) < 0.9
    assert float(means["inflated"]["alpha_IoU"]) > float(means["inflated, wrong input"]["alpha_IoU"])
    for method in means:
        objects = {row["object"] for row in rows if row["method"] == method}
        assert objects == {"tower_0", "tower_1", "tower_2", "MEAN"}
    page = (tmp_path / "t.md").read_text()
    assert "--model oracle --model inflated --tile 48" in page and "oracle, wrong input" in page
    assert (tmp_path / "t.png").stat().st_size > 1000
    assert "LPIPS" not in page.replace("neither LPIPS's weights", "").replace("not LPIPS", "")
    assert "oracle" in capsys.readouterr().out


@pytest.mark.slow
def test_a_checkpoint_and_its_depth_control(meshes, tmp_path, capsys):
    pytest.importorskip("diffusers")
    models = ROOT / "tests" / "golden" / "models"
    command = ["eval", "views", "--meshes", str(meshes / "tower_0.glb"), "--model", str(models / "tiny-zero123plus")]
    command += ["--tile", "32", "--steps", "2", "--out", str(tmp_path)]
    control = ["--controlnet", str(models / "tiny-controlnet-depth")]
    assert main([*command, "--depth-control", "1.0", *control]) == 0
    page = (tmp_path / "views.md").read_text()
    assert "| models/tiny-zero123plus |" in page and "| models/tiny-zero123plus + depth |" in page
    assert str(models) not in page
    assert main([*command, *control]) == 2
    assert "--depth-control" in capsys.readouterr().err


def test_light_and_failures(meshes, tmp_path):
    pytest.importorskip("embreex")
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "broken.glb").write_text("no")
    (folder / "good.glb").write_bytes((meshes / "tower_1.glb").read_bytes())
    lights = write_lights(tmp_path / "hdri")
    command = ["eval", "views", "--meshes", str(folder), "--model", "inflated", "--tile", "32", "--hdri", str(lights)]
    assert main([*command, "--queries", "2", "--out", str(tmp_path / "out")]) == 1
    page = (tmp_path / "out" / "views.md").read_text()
    assert "broken:" in page and "good.1" in page and "environment maps of hdri" in page


def test_mean_of_training_samples(meshes, tmp_path):
    pytest.importorskip("embreex")
    lights = write_lights(tmp_path / "hdri")
    render = ["render", "views", "--meshes", str(meshes), "--hdri", str(lights), "--out", str(tmp_path / "samples")]
    assert main([*render, "--tile-px", "32", "--query-px", "16", "--set", "light_samples=2"]) == 0
    from zero123pp.render.shards import read_samples

    mean, rig = mean_sheet(tmp_path / "samples", 32)
    samples = list(read_samples(tmp_path / "samples"))
    expected = np.mean([sample.sheet[..., 3] / 255 for sample in samples], 0)
    assert rig == "v1.2" and len(samples) == 72
    np.testing.assert_allclose(mean.alpha, expected, atol=1e-5)
    assert main(["eval", "views", "--meshes", str(meshes / "tower_0.glb"), "--model", "inflated", "--tile", "32",
                 "--mean-of", str(tmp_path / "samples"), "--out", str(tmp_path / "out")]) == 0  # fmt: skip
    assert "| mean |" in (tmp_path / "out" / "views.md").read_text()


@pytest.mark.parametrize("more", [["--tile", "8"], ["--queries", "0"], ["--meshes", "nowhere"], ["--model", "no-such"],
                                  ["--mean-of", "nowhere"], ["--hdri", "nowhere"], ["--lpips-weights", "nowhere"],
                                  ["--efflite0-weights", "nowhere"]])  # fmt: skip
def test_bad_usage(meshes, tmp_path, more, capsys):
    pytest.importorskip("torch")
    command = ["eval", "views", "--meshes", str(meshes), "--out", str(tmp_path)]
    assert main([*command, *([] if "--model" in more else ["--model", "inflated"]), *more]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
