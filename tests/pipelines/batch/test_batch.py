"""Batches of real objects: the same bytes in any order, on any engine, with any number of workers, and as one call."""

import csv
import hashlib
import json
import random

import numpy as np
import pytest
from PIL import Image
from toy import toy_mesh

from zero123pp import ImageTo3D
from zero123pp.images import tile_sheet, to_uint8
from zero123pp.pipelines.commands.cli import main
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

SMALL = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64", "cutout.size_px=96")
FLAGS = ["--model", "inflated", *(word for value in SMALL for word in ("--set", value))]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with a picture, two sheets, a file that is no picture, and the list of them."""
    folder = tmp_path_factory.mktemp("pictures")
    views = [render(toy_mesh(64), camera) for camera in RIGS["v1.2"].cameras(64)]
    tiles = [to_uint8(np.dstack([view.rgb, view.alpha])) for view in views]
    Image.fromarray(tiles[5]).save(folder / "toy.png")
    for name, factor in (("a.png", 1.0), ("b.png", 0.6)):
        sheet = tile_sheet(np.stack(tiles)).astype(float)
        sheet[..., :3] *= factor
        Image.fromarray(sheet.astype(np.uint8)).save(folder / name)
    (folder / "text.png").write_text("no picture")
    rows = [{"image": "toy.png", "seed": 2}, {"views": "a.png"}, {"views": "b.png"}, {"views": "b.png", "seed": 1}]
    rows += [{"image": "text.png"}, {"image": "../toy.png"}]
    (folder / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def table(out):
    with open(out / "index.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_key(out):
    return {row["key"]: row["sha256"] for row in table(out) if row["status"] == "done"}


@pytest.fixture(scope="module")
def first(pictures, tmp_path_factory):
    """The batch with two workers: its folder and exit code."""
    out = tmp_path_factory.mktemp("batch") / "out"
    code = main(["batch", "--images", str(pictures / "list.jsonl"), "--out", str(out), "--workers", "2", *FLAGS])
    return out, code


def test_results_index_and_contact_sheet(first, pictures, validate_glb):
    out, code = first
    assert code == 1  # two of the rows cannot be done
    rows = table(out)
    assert [row["status"] for row in rows] == ["done"] * 4 + ["failed"] * 2
    assert "looks like text" in rows[4]["reason"] and "leaves the folder" in rows[5]["reason"]
    for row in rows[:4]:
        content = (out / row["glb"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"] and len(content) == int(row["bytes"])
        assert row["watertight"] == "True" and float(row["iou"]) > 0.8
        said = json.loads((out / row["glb"]).with_suffix(".json").read_text())
        assert said["report"]["seed"] == int(row["seed"])
        assert Image.open((out / row["glb"]).with_suffix(".png")).size == (160, 160)
    page = (out / "index.html").read_text()
    assert page.count("<img") == 4 and "../toy.png" in page and "4 done, 2 failed" in page
    assert not list(out.rglob("*.tmp"))
    validate_glb(out / rows[0]["glb"])


def test_one_call_gives_the_same_bytes(first, pictures, tmp_path):
    rows = table(first[0])
    pipe = ImageTo3D.from_pretrained("inflated", overrides=SMALL)
    pipe(pictures / "toy.png", seed=2).save(tmp_path / "picture.glb")
    pipe(views=pictures / "b.png", seed=1).save(tmp_path / "sheet.glb")
    for name, row in (("picture", rows[0]), ("sheet", rows[3])):
        assert hashlib.sha256((tmp_path / f"{name}.glb").read_bytes()).hexdigest() == row["sha256"]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_another_order_and_another_number_of_workers(first, pictures, tmp_path, engine, request):
    if engine == "ray":
        request.getfixturevalue("ray_cluster")
    lines = (pictures / "list.jsonl").read_text().splitlines()
    random.Random(3).shuffle(lines)
    (pictures / f"{engine}.jsonl").write_text("\n".join(lines))
    arguments = ["--images", str(pictures / f"{engine}.jsonl"), "--out", str(tmp_path / "out"), "--engine", engine]
    assert main(["batch", *arguments, "--workers", "1", *FLAGS]) == 1
    assert by_key(tmp_path / "out") == by_key(first[0]) and len(by_key(first[0])) == 4


def test_the_key_follows_everything_that_decides_the_bytes(pictures, tmp_path):
    from dataclasses import replace

    from zero123pp.pipelines.batch.identity import common_identity, item_key
    from zero123pp.pipelines.batch.items import Item
    from zero123pp.pipelines.batch.job import BatchSettings

    item, picture, settings = Item(0, image="toy.png"), {"image": b"1"}, BatchSettings("out")
    common = common_identity("inflated", settings)
    keys = {
        item_key(item, picture, common),
        item_key(replace(item, seed=1), picture, common),
        item_key(replace(item, guidance=2.0), picture, common),
        item_key(item, {"image": b"2"}, common),
        item_key(item, {"views": b"1"}, common),
        item_key(item, picture, common_identity("preview", settings)),
        item_key(item, picture, common_identity("inflated", replace(settings, overrides=("fit.steps=3",)))),
        item_key(item, picture, common_identity("inflated", replace(settings, preset="fast"))),
    }
    assert len(keys) == 8
    same = replace(item, row=9, image="other/name.png")
    assert item_key(same, picture, common_identity("inflated", BatchSettings("elsewhere"))) in keys


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shard", "4/3"], "out of range"),
        (["--workers", "-1"], "--workers"),
        (["--deadline", "0"], "--deadline"),
        (["--memory", "5"], "--memory"),
        (["--ray-address", "auto"], "--engine ray"),
        (["--set", "fit.stesp=3"], "did you mean fit.steps"),
        (["--preset", "slow"], "unknown preset"),
        (["--model", "no such"], "no model"),
    ],
)
def test_bad_usage_is_one_line(pictures, tmp_path, capsys, arguments, words):
    line = ["batch", "--images", str(pictures), "--out", str(tmp_path / "out"), "--model", "inflated", *arguments]
    assert main(line) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not list(tmp_path.glob("out/??"))
