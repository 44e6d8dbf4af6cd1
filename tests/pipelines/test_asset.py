"""The stages of a run are kept together: those of one run or of the other, never a mixture."""

import json

import numpy as np
import pytest
from disk import small_files
from killing import finished
from shapes import icosphere

from zero123pp.errors import BadInput
from zero123pp.own import REPORT_KEYS
from zero123pp.pipelines.asset import STAGE_FILES, Asset
from zero123pp.recon.export import check_target  # noqa: F401  (loaded before processes are forked)
from zero123pp.rigs import RIGS
from zero123pp.types import Cutout, MultiView, TexturedMesh, View


def an_asset(run, *, with_cutout):
    shape = icosphere(1)
    cameras = RIGS["v1.2"].cameras(8)
    views = [View(np.full((8, 8, 3), run / 10), np.ones((8, 8)), camera) for camera in cameras]
    textured = TexturedMesh(shape, np.zeros((len(shape.vertices), 2)), np.full((4, 4, 3), run, np.uint8))
    cutout = Cutout(np.full((8, 8, 4), run, np.uint8)) if with_cutout else None
    return Asset(
        textured, shape, MultiView(views, "test", rig="v1.2"), dict.fromkeys(REPORT_KEYS) | {"run": run}, {}, cutout
    )


ONE, TWO = an_asset(1, with_cutout=True), an_asset(2, with_cutout=False)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """What the two runs write into folders of their own."""
    folder = tmp_path_factory.mktemp("stages")
    ONE.save_stages(folder / "one")
    TWO.save_stages(folder / "two")
    return content(folder / "one"), content(folder / "two")


def test_the_second_run_leaves_nothing_of_the_first(tmp_path, stages):
    one, two = stages
    assert set(one) - set(two) == {"cutout.png"} and json.loads(two["report.json"])["run"] == 2
    ONE.save_stages(tmp_path)
    (tmp_path / "notes.txt").write_bytes(b"theirs")
    TWO.save_stages(tmp_path)
    assert content(tmp_path) == two | {"notes.txt": b"theirs"}


def test_killed_at_any_moment_the_folder_holds_one_run(tmp_path, stages):
    one, two = stages
    event, met = 0, []
    while True:
        folder = tmp_path / str(event)
        ONE.save_stages(folder)
        whole = finished(event, lambda: TWO.save_stages(folder))  # noqa: B023
        met.append(content(folder))
        assert met[-1] in (one, two)
        if whole:
            break
        event += 1
    assert one in met and met[-1] == two


@pytest.mark.parametrize("name", STAGE_FILES)
def test_a_stage_replaces_no_file_of_others(tmp_path, name):
    (tmp_path / name).write_bytes(b"theirs")
    with pytest.raises(BadInput, match=f"{name} was not written by this program"):
        ONE.save_stages(tmp_path)
    assert content(tmp_path) == {name: b"theirs"}


@pytest.mark.parametrize("size", [0, 200, 1000])
def test_a_full_disk_leaves_the_earlier_stages(tmp_path, stages, size):
    ONE.save_stages(tmp_path / "stages")
    with small_files(size), pytest.raises(BadInput, match=r"cannot write \S*/stages") as caught:
        TWO.save_stages(tmp_path / "stages")
    assert "\n" not in str(caught.value) and ".tmp" not in str(caught.value)
    assert content(tmp_path / "stages") == stages[0]
    assert [path.name for path in tmp_path.iterdir()] == ["stages"]


def test_a_report_is_json_or_a_page_and_replaces_no_page_of_others(tmp_path):
    ONE.save_report(tmp_path / "r.json")
    TWO.save_report(tmp_path / "r.json")  # its own it replaces
    assert json.loads((tmp_path / "r.json").read_text()) == dict.fromkeys(REPORT_KEYS) | {"run": 2}
    for name in ("theirs.html", "package.json", "notes.txt"):
        (tmp_path / name).write_text('{"name": "zero123pp"}')
        with pytest.raises(BadInput, match="was not written by this program"):
            ONE.save_report(tmp_path / name)
        assert (tmp_path / name).read_text() == '{"name": "zero123pp"}'
