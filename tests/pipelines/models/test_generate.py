"""From the flags to the mesh: depth, depth of a mesh, refinement, normals, text, other weights; and their refusals."""

import numpy as np
import pytest
from PIL import Image
from refusals import refused
from toy import toy_mesh, toy_picture

pytest.importorskip("diffusers")

from zero123pp import ImageTo3D
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models import generate, licences
from zero123pp.pipelines.models.depth_control import depth_sheet
from zero123pp.pipelines.models.zero123plus import Zero123PlusModel
from zero123pp.pipelines.progress import Stages
from zero123pp.types import Cutout


@pytest.fixture(scope="module")
def toy_png(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.png"
    Image.fromarray(toy_picture(160, background=False)).save(path)
    return path


def test_depth_of_a_mesh_changes_the_views(folders, toy_png, toy_obj, tmp_path, run):
    pipe = ImageTo3D.from_pretrained(folders / "v1.1", controlnet=folders / "control")
    cutout, config = Cutout(np.asarray(toy_picture(96, background=False))), pipe.config
    Image.fromarray(depth_sheet(toy_obj, "v1.1", 64)).save(tmp_path / "depth.png")
    sheets = []
    for choice in ({}, {"depth_from": toy_obj}, {"depth": tmp_path / "depth.png"}):
        request = generate.Generation(steps=2, **choice)
        generate.prepare(request, pipe.model)
        sheets.append(generate.draw_views(pipe.model, [cutout], [0], request, config, Stages())[0].sheet)
    np.testing.assert_array_equal(sheets[1], sheets[2])
    assert (sheets[1] != sheets[0]).any()
    run("--image", toy_png, "--model", folders / "v1.1", "--depth-from", toy_obj,
        "--controlnet", folders / "control")  # fmt: skip


def test_refinement_draws_under_the_depth_of_the_first_mesh(folders, toy_png, tmp_path, run):
    good = ["--image", toy_png, "--model", folders / "v1.1", "--controlnet", folders / "control", "--depth-refine"]
    report, _ = run(*good)
    assert {"views", "proxy", "refined", "fit"} <= set(report["seconds"])


def test_refinement_hands_over_the_first_meshs_depth(folders, toy_png, monkeypatch):
    pipe = ImageTo3D.from_pretrained(folders / "v1.1", preset="fast", controlnet=folders / "control")
    drawn, proxies = [], []
    original, make = pipe.model.generate_many, generate._proxy

    def spy(cutouts, **arguments):
        drawn.append(arguments["depths"])
        return original(cutouts, **arguments)

    monkeypatch.setattr(pipe.model, "generate_many", spy)
    monkeypatch.setattr(generate, "_proxy", lambda *a: proxies.append(make(*a)) or proxies[0])
    pipe(toy_png, steps=2, depth_refine=True)
    assert drawn[0] is None
    np.testing.assert_array_equal(drawn[1][0], depth_sheet(proxies[0], "v1.1", 64))


def test_normals_reach_the_reconstruction(folders, monkeypatch):
    """Random weights draw no normals, so a sheet of true ones stands in for what the generator draws."""
    pytest.importorskip("pymatting")
    from zero123pp.images import over, tile_sheet, to_uint8
    from zero123pp.recon.render import render
    from zero123pp.rigs import RIGS

    views = [render(toy_mesh(48), camera) for camera in RIGS["v1.2"].cameras(64)]
    alpha = np.stack([v.alpha for v in views])
    sheet = to_uint8(tile_sheet(over(np.stack([v.rgb for v in views]), alpha, 0.5)))
    normals = to_uint8(tile_sheet(np.stack([v.normal for v in views]) / 2 + 0.5))
    model = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", normal_controlnet=folders / "control")
    calls = []

    def draw(pipeline, cutouts, seeds, steps, guidance, progress, **control):
        calls.append((pipeline, steps, control))
        return [normals if control else sheet]

    monkeypatch.setattr(model, "_run", draw)
    found = model.generate(Cutout(np.full((64, 64, 4), 255, np.uint8)), with_normals=True)
    (_, first, _), (generator, second, control) = calls
    assert first is None and second == 75 and control["scale"] == 1.0
    assert generator.scheduler.config.timestep_spacing == "linspace"
    np.testing.assert_array_equal(control["controls"][0], sheet)
    np.testing.assert_array_equal(found.sheet, sheet)
    for view, true in zip(found.views, views):
        known = (np.linalg.norm(view.normal, axis=-1) > 0) & (np.linalg.norm(true.normal, axis=-1) > 0)
        assert known.sum() > 100 and (view.normal[known] * true.normal[known]).sum(-1).mean() > 0.97


def test_the_normal_generator_runs(folders):
    model = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", normal_controlnet=folders / "control")
    cutout = Cutout(np.asarray(toy_picture(96, background=False)))
    sheet = model.generate_sheet(cutout, steps=2)
    normals = model.generate_normals(cutout, sheet, steps=2)
    assert normals.shape == sheet.shape == (192, 128, 3) and (normals != sheet).any()
    np.testing.assert_array_equal(model.generate_normals(cutout, sheet, steps=2), normals)


def test_a_text_becomes_a_picture(text_model):
    from zero123pp.pipelines.models.text_to_image import draw_picture

    heard = []
    first = draw_picture("a robot", text_model, seed=1, steps=3, device="cpu", progress=heard.append)
    assert first.dtype == np.uint8 and first.shape == (32, 32, 3) and heard == pytest.approx([1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(draw_picture("a robot", text_model, seed=1, steps=3, device="cpu"), first)
    for other in (("a car", 1), ("a robot", 2)):
        assert (draw_picture(other[0], text_model, seed=other[1], steps=3, device="cpu") != first).any()


def test_a_text_becomes_a_mesh(text_model, folders, tmp_path, monkeypatch, run):
    from zero123pp.pipelines import models

    said = []

    def draw(prompt, model, **_):  # a random network draws no object: the toy stands in for its picture
        said.append((prompt, model))
        return toy_picture(160, background=False)

    monkeypatch.setattr(models, "draw_picture", draw)
    arguments = ["--prompt", "a robot", "--text-model", text_model, "--model", folders / "v1.2"]
    report, _ = run(*arguments)
    assert said == [("a robot", str(text_model))] and "picture" in report["seconds"]


def test_other_weights_on_their_background(folders, tmp_path, toy_png):
    file = folders / "v1.2" / "unet" / "diffusion_pytorch_model.safetensors"
    model = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", unet=file)
    assert model.pipeline.config.input_background == 255 and "UNet of" in model.licence
    gray = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", unet=file, unet_background="gray")
    assert gray.pipeline.config.input_background == 127


def test_samplers_by_name(folders):
    cutout, sheets = Cutout(np.asarray(toy_picture(96, background=False))), []
    for name in ("euler-a", "dpm++", "unipc"):
        model = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", sampler=name)
        sheets.append(model.generate_sheet(cutout, steps=3).tobytes())
    assert len(set(sheets)) == 3


def test_shortcuts_for_slow_processors(folders, toy_png, capsys, tmp_path):
    cutout = Cutout(np.asarray(toy_picture(96, background=False)))
    sheets = []
    neutral = {"guidance_interval": (0.0, 1.0), "cache_interval": 1, "quantize": "none"}
    for chosen in ({}, neutral, {"guidance_interval": (0.5, 1.0)}, {"cache_interval": 2}, {"quantize": "int8"}):
        model = Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", **chosen)
        sheets.append(model.generate_sheet(cutout, steps=2).tobytes())
    assert sheets[0] == sheets[1] and len(set(sheets)) == 4
    good = ["--image", toy_png, "--out", tmp_path / "o.glb", "--model", folders / "v1.1"]
    wanted = "not two ascending numbers from 0 to 1, as 0,1"
    for bad in ("0.8,0.2", "0.5", "0,2", "a,b"):
        assert wanted in refused(capsys, *good, "--guidance-interval", bad)
    assert "1 to 100" in refused(capsys, *good, "--cache-interval", "0")
    preview = [*good[:-1], "preview"]
    assert "takes no cache interval" in refused(capsys, *preview, "--cache-interval", "2")
    with pytest.raises(BadInput, match="made of float32, but dtype is bfloat16"):
        Zero123PlusModel.from_pretrained(folders / "v1.2", "cpu", quantize="int8", dtype="bfloat16")


def test_refusals(folders, toy_png, toy_obj, tmp_path, capsys):
    good = ["--image", toy_png, "--out", tmp_path / "o.glb", "--model", folders / "v1.1"]
    Image.fromarray(np.zeros((96, 64, 4), np.uint8)).save(tmp_path / "small.png")
    control = ["--controlnet", folders / "control"]
    assert "64x96" in refused(capsys, *good, *control, "--depth", tmp_path / "small.png")
    assert "controlnet-zp11-depth-v1" in refused(capsys, *good, "--depth", tmp_path / "small.png")  # not in the cache
    v12 = [*good[:-1], folders / "v1.2"]
    assert "no depth ControlNet for rig v1.2" in refused(capsys, *v12, "--depth-from", toy_obj)
    named = ["--controlnet", folders / "controlnet-zp11-depth"]
    assert "trained for v1.1" in refused(capsys, *v12, "--depth-from", toy_obj, *named)
    assert "no normal ControlNet for rig v1.1" in refused(capsys, *good, "--with-normals")
    assert "nowhere.glb" in refused(capsys, *good, *control, "--depth-from", "nowhere.glb")
    assert "given together" in refused(capsys, *good, *control, "--depth-from", toy_obj, "--depth-refine")
    assert "--controlnet belongs to" in refused(capsys, *good, *control)
    assert "--text-model belongs to" in refused(capsys, *good, "--text-model", "x/y")
    assert "--prompt is empty" in refused(capsys, "--prompt", " ", "--out", tmp_path / "o.glb")
    assert "both of --image and --prompt" in refused(capsys, *good, "--prompt", "a robot")
    assert "leave one out" in refused(capsys, "--views", toy_png, "--out", tmp_path / "o.glb", "--with-normals")
    preview = [*good[:-1], "preview"]
    assert "'preview' draws no views under depth" in refused(capsys, *preview, "--depth-from", toy_obj)
    assert "'preview' is no diffusion model and takes no sampler" in refused(capsys, *preview, "--sampler", "unipc")
    assert "no file" in refused(capsys, *good, "--unet", tmp_path / "missing.bin")
    text = ["--prompt", "a robot", "--out", tmp_path / "o.glb", "--model", folders / "v1.1", "--text-model"]
    assert "no text-to-image checkpoint" in refused(capsys, *text, folders / "control")
    assert "not in the local Hugging Face cache" in refused(capsys, *text, "nobody/nothing")
    assert not (tmp_path / "o.glb").exists()


@pytest.mark.quick
def test_the_library_says_what_it_does_not_know():
    with pytest.raises(BadInput, match="depht"):
        ImageTo3D.from_pretrained("preview")(np.zeros((32, 32, 4), np.uint8), depht=1)
    with pytest.raises(BadInput, match="depth_refine is about drawing views, but views gives them"):
        ImageTo3D.from_pretrained("preview")(views="sheet.png", depth_refine=True)
    with pytest.raises(BadInput, match="sampler"):
        ImageTo3D.from_pretrained("preview", sampler="heun")
    with pytest.raises(BadInput, match="unknown option 'samper'; did you mean sampler"):
        ImageTo3D.from_pretrained("preview", samper="unipc")


def test_licences_are_said_once_before_a_download(capsys, monkeypatch):
    """The hub is told to call back before it fetches; see also the downloads of tests/diffusion."""
    from zero123pp.diffusion import hub

    licences.announce("sudo-ai/zero123plus-v1.2", "openrail")
    licences.announce("own/toy", "mit")
    licences.announce("own/toy")
    lines = capsys.readouterr().err.splitlines()
    assert "CC-BY-NC 4.0" in lines[0] and lines[1].endswith("licence: mit") and "publisher" in lines[2]
    heard = []
    monkeypatch.setattr(hub, "_download", lambda *a: a[-1](a[0], "x"))
    hub.find_checkpoint("own/toy", hub.PIPELINE, on_download=lambda *a: heard.append(a))
    assert heard == [("own/toy", "x")]
    with pytest.raises(MissingBackend):
        hub.find_checkpoint("own/toy", hub.PIPELINE, local_files_only=True, on_download=lambda *a: heard.append(a))
    assert len(heard) == 1
