"""``run.py render multiview``: whole runs, interruptions, shards of the work, hostile files, both layouts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from refusals import refused
from render_files import write_hdr, write_lights, write_meshes

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.training_data.multiview.job import key_names
from zero123pp.render.shards import open_samples, read_samples

pytest.importorskip("embreex")

SMALL = ["--tile-px", "16", "--query-px", "16", "--per-shard", "1", "--set", "light_samples=4"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_lights(folder / "hdri")
    write_meshes(folder / "meshes", 4)
    return folder


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    return [
        "render",
        "views",
        "--meshes",
        str(data / "meshes"),
        "--hdri",
        str(data / "hdri"),
        "--out",
        str(out),
        *SMALL,
        *more,
    ]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(arguments(data, out)) == 0
    return out


def test_what_a_run_writes(whole):
    names = sorted(path.name for path in whole.iterdir())
    parts = [f"views-{part:06d}" for part in range(4)]
    assert names == sorted(
        ["failures.json", "render.json", *(f"{p}.tar" for p in parts), *(f"{p}.index.json" for p in parts)]
    )
    samples = open_samples(whole)
    assert len(samples) == 4 * 24 and len(set(samples.keys)) == 96
    assert set(samples.meshes) == {f"tower_{n}" for n in range(4)}
    sample = samples[7]
    assert sample.query.shape == (16, 16, 4) and sample.sheet.shape == (48, 32, 4)
    assert sample.depth.shape == (48, 32) and sample.normals.shape == (48, 32, 3)
    light, query = sample.meta["light"], sample.meta["query"]
    assert light["environment"] in ("sky", "room") and light["exposure"] > 0
    assert -20 <= query["elevation_deg"] <= 45 and sample.meta["rig"] == "v1.2" and sample.meta["scale"] > 0
    inside = (sample.depth > 1.3) & (sample.depth < 2.4)
    assert (inside | (sample.depth == 0)).all() and inside.mean() > 0.05
    assert json.loads((whole / "failures.json").read_text()) == {}


def test_mirrored_samples_flip_the_query(whole):
    samples = open_samples(whole)
    by_key = {key: number for number, key in enumerate(samples.keys)}
    plain, mirrored = (samples[by_key[f"tower_1-0-03{m}"]] for m in ("", "m"))
    np.testing.assert_array_equal(mirrored.query, plain.query[:, ::-1])
    assert not plain.meta["mirrored"] and mirrored.meta["mirrored"]
    assert not np.array_equal(mirrored.sheet, plain.sheet[:, ::-1])  # elevations alternate, so other views are shown


def test_running_again_renders_nothing(data, whole, capsys):
    before = content(whole)
    assert main(arguments(data, whole)) == 0
    assert "0 samples rendered; 4 parts were there" in capsys.readouterr().err
    assert content(whole) == before


def test_killed_and_resumed_equals_uninterrupted(data, whole, tmp_path):
    """SIGKILL at some moment while a part is being written; the same command goes on; every byte is the same."""
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "run.py"), *arguments(data, out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    limit = time.monotonic() + 120
    while process.poll() is None and not (begun := list(out.glob(".*.tar.tmp"))) and time.monotonic() < limit:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and begun
    done = content(out)
    assert len([name for name in done if name.endswith(".tar")]) < 4
    assert main(arguments(data, out)) == 0
    assert content(out) == content(whole)


def test_interrupted_by_hand_it_says_how_to_go_on(data, whole, tmp_path, capsys, monkeypatch):
    from zero123pp.pipelines.training_data.multiview import layouts

    written = layouts.TarShards.write

    def interrupted(self, part, samples, failures):
        if part == 2:
            raise KeyboardInterrupt
        return written(self, part, samples, failures)

    with monkeypatch.context() as patched:
        patched.setattr(layouts.TarShards, "write", interrupted)
        assert main(arguments(data, tmp_path)) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert main(arguments(data, tmp_path)) == 0
    assert content(tmp_path) == content(whole)


def test_processes_side_by_side_make_the_same(data, whole, tmp_path):
    out = tmp_path / "out"
    for shard in ("2/3", "1/3", "3/3"):
        assert main(arguments(data, out, "--shard", shard)) == 0
    assert content(out) == content(whole)


def test_groups_come_from_the_manifest_and_rare_ones_get_more_passes(data, tmp_path):
    meshes = write_meshes(tmp_path / "meshes", 2)
    (meshes / "MANIFEST.json").write_text(json.dumps([{"name": "tower_1", "group": "scan"}]))
    command = arguments(data, tmp_path / "out", "--meshes", str(meshes), "--passes-of")
    assert main([*command, "scan=2"]) == 0
    samples = open_samples(tmp_path / "out")
    assert Counter(zip(samples.meshes, samples.groups)) == {("tower_0", "object"): 24, ("tower_1", "scan"): 48}
    lights = {sample.meta["light"]["turn_deg"] for sample in read_samples(tmp_path / "out")}
    assert len(lights) == 3
    for text in ("other=2", "scan", "scan=0", "=3"):
        assert main([*command, text]) == 2


def test_a_folder_of_other_samples_is_refused(data, whole):
    for more in (["--seed", "1"], ["--rig", "v1.1"], ["--only", "tower_1"], ["--layout", "instantmesh"]):
        assert main(arguments(data, whole, *more)) == 2
    assert main(arguments(data, whole, "--set", "glossy=0.9")) == 2


def test_a_damaged_shard_is_refused_with_one_line(data, whole, tmp_path, capsys):
    for name, data_bytes in content(whole).items():
        (tmp_path / name).write_bytes(data_bytes)
    tar = tmp_path / "views-000002.tar"
    tar.write_bytes(tar.read_bytes()[:-2000])
    assert main(arguments(data, tmp_path)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "views-000002.tar" in lines[0] and "delete it" in lines[0]


def test_instantmesh_layout_holds_the_same_pictures(data, whole, tmp_path):
    (data / "meshes" / "MANIFEST.json").write_text(json.dumps([{"name": "tower_0", "group": "tall"}]))
    try:
        assert main(arguments(data, tmp_path, "--layout", "instantmesh")) == 0
        first = content(tmp_path)
        assert main(arguments(data, tmp_path, "--layout", "instantmesh")) == 0
        assert content(tmp_path) == first
    finally:
        (data / "meshes" / "MANIFEST.json").unlink()
    paths = json.loads((tmp_path / "valid_paths.json").read_text())
    assert {name: len(listed) for name, listed in paths.items()} == {"object": 72, "tall": 24}
    shards = {sample.key.replace("-", "/"): sample for sample in read_samples(whole)}
    found = list(read_samples(tmp_path))
    assert len(found) == 96 and {sample.meta["mesh"] for sample in found} == {f"tower_{n}" for n in range(4)}
    for sample in found:
        np.testing.assert_array_equal(sample.query, shards[sample.key].query)
        np.testing.assert_array_equal(sample.sheet, shards[sample.key].sheet)


def test_hostile_meshes_cost_themselves_only(data, tmp_path, capsys):
    meshes = write_meshes(tmp_path / "meshes", 1)
    good = (meshes / "tower_0.glb").read_bytes()
    (meshes / "cut.glb").write_bytes(good[: len(good) // 2])
    (meshes / "text.glb").write_text("not a mesh\n" * 50)
    (meshes / "empty.glb").write_bytes(b"")
    (meshes / "point.obj").write_text("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n")
    (meshes / "nan.obj").write_text("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (meshes / "huge.obj").write_text("v 1e300 0 0\nv -1e300 0 0\nv 0 1e300 0\nf 1 2 3\n")
    (meshes / "no faces.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    (meshes / "odd näme.v2.glb").write_bytes(good)
    assert main(arguments(data, tmp_path / "out", "--meshes", str(meshes))) == 0
    failures = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert set(failures) == {"cut.glb", "text.glb", "empty.glb", "point.obj", "nan.obj", "huge.obj", "no faces.ply"}
    assert all(message and "\n" not in message for message in failures.values())
    assert "7 of 9 meshes failed" in capsys.readouterr().err
    assert set(open_samples(tmp_path / "out").meshes) == {"tower_0", "odd näme.v2"}


@pytest.mark.parametrize(
    "more",
    [
        ["--shard", "0/2"],
        ["--hdri", "."],
        ["--meshes", "nowhere"],
        ["--set", "tile_px=0"],
        ["--set", "nothing=1"],
        ["--rig", "v9"],
        ["--per-shard", "0"],
        ["--seed", "-1"],
    ],
)
def test_bad_usage(data, tmp_path, more, capsys):
    refused(capsys, *arguments(data, tmp_path / "out", *more))
    assert not (tmp_path / "out").exists()


def test_a_broken_environment_map_is_refused(data, tmp_path, capsys):
    lights = tmp_path / "hdri"
    lights.mkdir()
    write_hdr(lights / "cut.hdr", np.ones((16, 32, 3)))
    (lights / "cut.hdr").write_bytes((lights / "cut.hdr").read_bytes()[:200])
    assert main(arguments(data, tmp_path / "out", "--hdri", str(lights))) == 2
    assert "cut.hdr" in capsys.readouterr().err


def test_key_names():
    names = key_names(["a.glb", "a.obj", "b c.glb", "b_c.glb", "x" * 200 + ".glb", "ä.glb", "../up.glb"])
    assert len(set(names.values())) == 7
    assert names["a.glb"] == "a" and names["b_c.glb"] == "b_c"
    assert all(len(name) <= 70 and all(c.isalnum() or c in "_-" for c in name) for name in names.values())
    assert all(name.isascii() for name in names.values())


def test_nothing_readable_is_no_success(data, tmp_path):
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    (meshes / "text.glb").write_text("no")
    assert main(arguments(data, tmp_path / "out", "--meshes", str(meshes))) == 1
    with pytest.raises(BadInput):
        open_samples(tmp_path / "nowhere")
