"""Nothing that a run reads, and nothing of the user's, is written over; told before any work."""

import os

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from zero123pp.images import own_png
from zero123pp.pipelines.commands import outputs

pytestmark = pytest.mark.quick


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder of the user's, in which the command runs; nothing in it changes."""
    monkeypatch.chdir(tmp_path)
    for name in ("toy.png", "toy_texture.png", "views.png", "stages/views.png", "capture/images/0.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 64, 4), (200, 80, 40, 255), np.uint8)).save(path)
    (tmp_path / "capture" / "transforms.json").write_text('{"frames": []}')
    (tmp_path / "rough.obj").write_text("mtllib other/rough.mtl\n")
    (tmp_path / "rough.mtl").write_text("newmtl a\nmap_Kd rough_texture.png\n")
    (tmp_path / "rough_texture.png").write_bytes(b"theirs")
    (tmp_path / "loop.obj").write_text("mtllib loop.mtl\n")
    (tmp_path / "loop.mtl").write_text("map_Kd loop.obj\n")
    (tmp_path / "preset.yaml").write_text("fit: {}\n")
    (tmp_path / "link.glb").symlink_to("toy.png")
    os.link(tmp_path / "toy.png", tmp_path / "twin.ply")
    (tmp_path / "inner").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    yield tmp_path
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "--image toy_texture.png --out toy.obj",
            "would write over toy_texture.png, which --image reads",
        ),
        ("--image toy.png --out toy.obj", "toy_texture.png was not written by this program"),
        ("--image toy.png --out link.glb", "would write over toy.png"),
        ("--image toy.png --out twin.ply", "would write over toy.png"),
        ("--image toy.png --out a.glb --report toy.png", "--report toy.png would write over toy.png"),
        ("--image toy.png --out a.glb --report inner/../toy.png", "would write over toy.png"),
        ("--image toy.png --out a.glb --report a.glb", "--out a.glb and --report a.glb would write the same file"),
        ("--image toy.png --out a.glb --report inner/../A.GLB", "would write the same file"),
        ("--image toy.png --out a.obj --report a_texture.png", "would write the same file"),
        ("--image toy.png --out inner/fit.ply --save-stages inner", "would write the same file"),
        ("--image toy.png --out a.glb --report inner/report.json --save-stages inner", "would write the same file"),
        ("--image toy.png --out a.glb --report new --save-stages new", "would write the same file"),
        ("--image toy.png --out a.glb --preview toy.png", "--preview toy.png would write over toy.png"),
        ("--image toy.png --out a.glb --preview views.png", "views.png was not written by this program"),
        ("--image toy.png --out a.glb --preview a.jpg", "unknown suffix '.jpg'; choose .png"),
        ("--image toy.png --out a.glb --turntable a.glb", "would write the same file"),
        ("--image toy.png --out a.glb --turntable no/a.gif", "does not exist"),
        ("--image toy.png --out a.glb --lods 9", "9 levels of detail"),
        ("--image toy.png --out a.glb --msft-lod", "--msft-lod needs a .glb and --lods 2 or more"),
        ("--image toy.png --out a.glb --lods 2 --report a_lod1.glb", "would write the same file"),
        ("--image toy.png --out a.obj --normal-map", "--normal-map does not go with .obj; choose .glb or .gltf"),
        ("--image toy.png --out a.glb --axes z-up", "--axes z-up does not go with .glb"),
        ("--image views.png --out a.glb --save-stages .", "--save-stages . would write over views.png"),
        ("--image toy.png --out a.glb --save-stages stages", "views.png was not written by this program"),
        ("--image toy.png --out a.glb --save-stages toy.png", "is a file"),
        ("--image toy.png --out a.glb --save-stages toy.png/x", "is a file"),
        ("--views views.png --normals toy.png --out a.glb --report toy.png", "which --normals reads"),
        ("--views capture --out a.glb --report capture/transforms.json", "which --views reads"),
        ("--views capture --out a.glb --report capture/images/0.png", "which --views reads"),
        ("--image toy.png --depth-from rough.obj --out rough.obj", "would write over rough"),
        ("--image toy.png --depth-from rough.obj --out a.glb --report rough.mtl", "which --depth-from reads"),
        ("--image toy.png --depth-from rough.obj --out a.glb --report rough_texture.png", "which --depth-from reads"),
        ("--image toy.png --preset preset.yaml --out a.glb --report preset.yaml", "which --preset reads"),
        ("--image toy.png --set preview.back=views.png --out a.glb --report views.png", "--set preview.back reads"),
        ("--image toy.png --out a.glb --report capture/transforms.json", "was not written by this program"),
        ("--image toy.png --out a.glb --report preset.yaml", "was not written by this program"),
        ("--image toy.png --depth-from loop.obj --out loop.mtl.obj --report toy.png", "would write over toy.png"),
        ("--image toy.png --out a.glb --report ", "--report is empty"),
        ("--views , --rig turnaround4 --out a.glb", "names no picture"),
        ("nowhere/toy.png", "there is no picture nowhere/toy.png"),
        ("old,toy.png --out a.glb --report toy.png", "would write over"),
    ],
)
def test_files_that_would_meet_are_told_before_any_work(home, capsys, arguments, words):
    assert words in refused(capsys, *arguments.split(" "))


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        ("toy.png", "toy.glb"),
        ("--image inner/../toy.png", "inner/../toy.glb"),
        ("--quiet --faces 300 toy_texture.png --seed 1", "toy_texture.glb"),
        ("--seed 1 --quiet toy.png", "toy.glb"),
        ("--views views.png", "views.glb"),
        ("--views capture/", "capture.glb"),
        ("toy.png --out b.ply", "b.ply"),
    ],
)
def test_the_output_is_named_after_the_input(home, monkeypatch, arguments, out):
    from zero123pp.pipelines.commands import cli

    seen = []
    monkeypatch.setattr(cli, "_image_to_mesh", seen.append)
    cli.main(arguments.split(" "))
    outputs.complete(seen[0])
    assert seen[0].out == out and (seen[0].image or seen[0].views) in arguments
    assert seen[0].is_new == ("--out" not in arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("toy_texture.png toy.png", "2 pictures named"),
        ("toy.png --image views.png", "both toy.png and --image views.png"),
        ("toy.png --views views.png", "both of --image and --views"),
        ("capture", "capture is a folder: 'batch --images capture"),
        ("rough.obj", "rough.obj is a mesh, not a picture: 'view rough.obj'"),
        ("--views .", "--out is missing"),
        ("--views toy.png,views.png --rig frontback", "--out is missing"),
        ("--prompt robot", "--out is missing"),
        ("taken.png", "taken.glb is there already; give --out another name, or --out taken.glb"),
        ("gone.png", "gone.glb is there already"),
    ],
)
def test_what_can_be_no_picture_or_no_output(home, capsys, arguments, words):
    (home / "taken.glb").write_bytes(b"theirs")
    (home / "gone.glb").symlink_to("nowhere")
    try:
        assert words in refused(capsys, *arguments.split(" "))
        assert (home / "taken.glb").read_bytes() == b"theirs"
    finally:
        (home / "taken.glb").unlink()


def test_a_file_that_came_meanwhile_stays(home, capsys, monkeypatch):
    from zero123pp import ImageTo3D

    def made(*args, **kwargs):
        (home / "toy.glb").write_bytes(b"theirs")

    monkeypatch.setattr(ImageTo3D, "__call__", made)
    assert "toy.glb is there already" in refused(capsys, "toy.png", "--model", "inflated")
    assert (home / "toy.glb").read_bytes() == b"theirs"
    (home / "toy.glb").unlink()


def test_targets_that_cannot_be_written_are_told_before_any_work(home, capsys):
    (home / "lost.glb").symlink_to("nowhere/toy.glb")
    assert "does not exist" in refused(capsys, "--image", "toy.png", "--out", "lost.glb")
    assert "does not exist" in refused(capsys, "--image", "toy.png", "--out", "a.glb", "--report", "lost.glb")
    assert "is a folder" in refused(capsys, "--image", "toy.png", "--out", "a.glb", "--report", "inner")
    name = os.fsdecode(b"raw\xff.obj")
    assert "no picture" in refused(capsys, "--image", "missing.png", "--out", name)  # such a name is no hindrance
    (home / "lost.glb").unlink()


def test_pictures_of_ours_are_replaced(home, tmp_path_factory):
    from zero123pp.errors import BadInput
    from zero123pp.pipelines.asset import check_stages

    folder = tmp_path_factory.mktemp("stages")
    (folder / "views.png").write_bytes(own_png(np.zeros((4, 4, 3), np.uint8)))
    (folder / "notes.txt").write_text("mine")
    check_stages(folder)
    (folder / "alpha.png").write_bytes(b"theirs")
    with pytest.raises(BadInput, match=r"alpha\.png was not written by this program"):
        check_stages(folder)
