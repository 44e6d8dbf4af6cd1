"""The main job, end to end and for real: picture or sheet in, valid textured GLB out, twice the same."""

import json

import numpy as np
import pytest
import trimesh
from paths import ROOT
from PIL import Image
from toy import toy_mesh, toy_picture

from zero123pp import ImageTo3D
from zero123pp.images import tile_sheet, to_uint8
from zero123pp.pipelines.commands.cli import main
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

FAST = ["--preset", "fast", "--texture-size", "256", "--faces", "3000"]


@pytest.fixture(scope="module")
def toy_png(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.png"
    Image.fromarray(toy_picture(256, background=False)).save(path)
    return path


@pytest.fixture(scope="module")
def toy_sheet(tmp_path_factory):
    path = tmp_path_factory.mktemp("sheet") / "sheet.png"
    views = [render(toy_mesh(), camera) for camera in RIGS["v1.2"].cameras(160)]
    tiles = [to_uint8(np.dstack([view.rgb, view.alpha])) for view in views]
    Image.fromarray(tile_sheet(np.stack(tiles))).save(path)
    return path


def _extras(path):
    data = path.read_bytes()
    return json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])["asset"]["extras"]


def test_picture_to_glb_with_every_stage_kept(toy_png, tmp_path, capsys, validate_glb):
    out, report, stages = tmp_path / "toy.glb", tmp_path / "toy.json", tmp_path / "stages"
    arguments = ["--image", toy_png, "--out", out, "--model", "preview", "--report", report, "--save-stages", stages]
    assert main([*map(str, arguments), *FAST]) == 0
    assert "guess" in capsys.readouterr().err  # says what the shape is
    validate_glb(out)
    mesh = trimesh.load(out, force="mesh")
    assert 500 < len(mesh.faces) <= 3000
    assert mesh.extents.max() < 1.0 and abs(mesh.centroid).max() < 0.3
    said = json.loads(report.read_text())
    assert said["model"] == "preview" and "guess" in said["note"]
    assert said["mesh"]["watertight"] and said["mesh"]["manifold"]
    assert said["agreement"]["silhouette_iou"][-1] > 0.95  # the input itself is the last view
    assert _extras(out)["model"] == "preview" and "guess" in _extras(out)["note"] and _extras(out)["seed"] == 0
    names = {"cutout.png", "views.png", "alpha.png", "depth.png", "normals.png", "confidence.png", "fit.ply"}
    assert {path.name for path in stages.iterdir()} == names | {"report.json"}
    assert Image.open(stages / "cutout.png").mode == "RGBA"
    assert Image.open(stages / "views.png").size[0] * 3 == Image.open(stages / "views.png").size[1] * 2


def test_sheet_to_glb_agrees_with_the_sheet(toy_sheet, tmp_path, validate_glb):
    out, report = tmp_path / "toy.glb", tmp_path / "toy.json"
    assert main(["--views", str(toy_sheet), "--rig", "v1.2", "--out", str(out), "--report", str(report)]) == 0
    validate_glb(out)
    said = json.loads(report.read_text())
    assert np.mean(said["agreement"]["silhouette_iou"]) > 0.95
    assert np.mean(said["agreement"]["foreground_psnr_db"]) > 22
    assert said["mesh"]["watertight"] and said["mesh"]["manifold"]
    truth, found = toy_mesh(), trimesh.load(out, force="mesh")
    np.testing.assert_allclose(found.bounds, [truth.vertices.min(0), truth.vertices.max(0)], atol=0.02)  # its frame
    red = truth.vertices[(truth.colors[:, 0] > 180) & (truth.colors[:, 1] < 60)].mean(0)
    assert red[2] > 0.1  # the bow tie, so the front, is at +Z


def test_the_same_seed_gives_the_same_bytes(toy_png, toy_sheet, tmp_path):
    for source in (["--image", toy_png, "--model", "preview"], ["--views", toy_sheet]):
        files = [tmp_path / "a.glb", tmp_path / "b.glb"]
        for file in files:
            assert main([*map(str, source), "--out", str(file), "--seed", "3", *FAST]) == 0
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
def test_other_formats_load(toy_sheet, tmp_path, suffix):
    out = tmp_path / f"toy{suffix}"
    assert main(["--views", str(toy_sheet), "--out", str(out), "--size", "0.3", *FAST]) == 0
    longest = 300 if suffix == ".stl" else 0.3
    assert trimesh.load(out, force="mesh").extents.max() == pytest.approx(longest, rel=1e-3)


def test_a_diffusion_checkpoint_runs_through_the_whole_chain(toy_png, tmp_path, validate_glb):
    pytest.importorskip("diffusers")
    model, out = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus", tmp_path / "noise.glb"
    arguments = ["--image", toy_png, "--model", model, "--steps", 2, "--out", out, "--save-stages", tmp_path / "s"]
    assert main([*map(str, arguments), *FAST]) == 0  # random weights: no object, but every stage runs
    validate_glb(out)
    assert _extras(out)["model"] == str(model)


def test_the_library_face(toy_png, tmp_path):
    seen = []
    pipe = ImageTo3D.from_pretrained("preview", preset="fast", overrides=["texture.size=256"])
    asset = pipe(Image.open(toy_png), seed=0, progress=lambda stage, fraction: seen.append((stage, fraction)))
    done = list(dict.fromkeys(stage for stage, fraction in seen if fraction == 1.0))
    assert done == ["cutout", "views", "mesh", "texture", "check"]
    assert asset.save(tmp_path / "toy.glb").stat().st_size > 10_000
    assert asset.to_trimesh().visual.uv is not None
    assert pipe(np.asarray(Image.open(toy_png)), seed=0).report["mesh"] == asset.report["mesh"]
    json.dumps(asset.report)
