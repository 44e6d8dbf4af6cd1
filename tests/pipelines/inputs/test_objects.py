"""Objects of a folder: found by suffix and pattern, in halves that never change."""

import json

import pytest
from paths import ROOT

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.objects import find_meshes, half_of

pytestmark = pytest.mark.quick


def test_meshes_are_found_by_suffix_and_pattern(tmp_path):
    meshes = tmp_path
    for name in ("box.glb", "ball.glb", "notes.txt"):
        (meshes / name).touch()
    assert [path.name for path in find_meshes(meshes)] == ["ball.glb", "box.glb"]
    assert [path.name for path in find_meshes(meshes, ["b*x"])] == ["box.glb"]
    assert [path.name for path in find_meshes(meshes / "ball.glb")] == ["ball.glb"]
    for folder, only in ((meshes, ["cow"]), (meshes / "missing", None), (meshes / "notes.txt", None)):
        with pytest.raises(BadInput, match="no meshes"):
            find_meshes(folder, only)


def test_halves_are_fixed_and_cover_everything(tmp_path):
    # Written down: the halves must never change, or numbers would be tuned on what they are reported on.
    assert [half_of(name) for name in ("ycb_mug", "gso_basket", "crane_spot_cow", "ycb_banana")] == [
        "tune", "report", "tune", "report",
    ]  # fmt: skip
    names = [f"object_{index}" for index in range(200)]
    for name in names:
        (tmp_path / f"{name}.glb").touch()
    halves = [{path.stem for path in find_meshes(tmp_path, split=split)} for split in ("tune", "report")]
    assert halves[0] | halves[1] == set(names) and not halves[0] & halves[1]
    assert 70 < len(halves[0]) < 130
    assert len(find_meshes(tmp_path)) == 200
    with pytest.raises(BadInput, match="none in the half"):
        find_meshes(tmp_path, ["object_0"], "tune" if half_of("object_0") == "report" else "report")


def test_the_halves_of_the_benchmark_are_what_the_documents_say(shared):
    manifest = json.loads((shared / "bench" / "MANIFEST.json").read_text())
    files = [entry["file"] if "file" in entry else f"{entry['name']}.glb" for entry in manifest]
    reported = [name for name in files if half_of(name.removesuffix(".glb")) == "report"]
    assert f"{len(files) - len(reported)} tune, {len(reported)} report" in (ROOT / "docs" / "evaluation.md").read_text()
