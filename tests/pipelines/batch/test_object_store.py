"""Results in an object store: the same objects as in a folder, found again, or refused with a reason."""

import csv
import io
import json
import sys

import pytest
from batch_results import glbs

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.batch.addresses import absolute, open_store
from zero123pp.pipelines.batch.store import Store
from zero123pp.pipelines.commands.cli import main

fsspec = pytest.importorskip("fsspec")

KEY = "ab" * 32
FILES = {".glb": b"glTF of 16 bytes", ".png": b"picture"}
SAID = {"key": KEY, "glb": f"ab/{KEY}.glb", "bytes": 16}


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    """A folder and an object store, which promise the same."""
    if request.param == "folder":
        with Store(tmp_path / "out") as opened:
            yield opened
        return
    yield open_store("memory://bucket/results")
    fsspec.filesystem("memory").store.clear()


def test_a_result_is_there_when_its_json_is(store):
    assert store.result(KEY) is None and not store.has_picture(SAID["glb"])
    for suffix, content in FILES.items():  # nobody but a broken disk leaves such states, so below the public face
        store._put(f"ab/{KEY}{suffix}", content)
    assert store.result(KEY) is None and store.has_picture(SAID["glb"])
    store.write(f"ab/{KEY}", FILES, SAID)
    assert store.result(KEY) == SAID and store.claim(KEY)
    store._put(f"ab/{KEY}.glb", b"glTF")  # a disk that lies
    assert store.result(KEY) is None
    store._put(f"ab/{KEY}.json", b"\xff[")
    assert store.result(KEY) is None


def test_what_was_given_up(store):
    assert store.failure(KEY) is None
    store.forgive(KEY)
    store.quarantine(KEY, {"reason": "why"})
    assert store.failure(KEY) == {"reason": "why"}
    store.forgive(KEY)
    assert store.failure(KEY) is None and store.clean() == 0


def test_the_json_is_put_last_and_nothing_else_is_left(monkeypatch):
    system, names = fsspec.filesystem("memory"), []
    opened = open_store("memory://bucket/results")
    put = type(system).pipe_file
    monkeypatch.setattr(
        type(system), "pipe_file", lambda own, path, content: names.append(path[-5:]) or put(own, path, content)
    )
    opened.write(f"ab/{KEY}", FILES, SAID)
    with opened.tables() as folder:
        (folder / "index.csv").write_text("row\n")
    assert names == ["b.png", "b.glb", ".json", "x.csv"]
    assert {path.removeprefix("/bucket/results/") for path in system.find("/bucket")} == {
        f"ab/{KEY}.glb", f"ab/{KEY}.png", f"ab/{KEY}.json", "index.csv",
    }  # fmt: skip
    system.store.clear()


def test_a_batch_into_objects_and_again(tmp_path, write_items, command):
    words = ["ok", "raise", "ok", "ok", "refuse", "ok"]
    write_items(words)
    out = f"file://{tmp_path / 'bucket' / 'results'}"
    assert absolute(out) == out
    for made, found in ((4, 0), (0, 4)):
        process = command("--workers", 2, "--out", out)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1 and f"{made} made, {found} found done, 2 failed, 0 open, in {out}" in said
    objects = tmp_path / "bucket" / "results"
    text = (objects / "index.csv").read_text()
    assert [row["status"] for row in csv.DictReader(io.StringIO(text))] == [
        "failed" if word in ("raise", "refuse") else "done" for word in words
    ]
    assert "4 done, 2 failed" in (objects / "index.html").read_text()
    reasons = [json.loads(path.read_text())["reason"] for path in (objects / "failed").iterdir()]
    assert sorted(reasons) == ["ValueError: as told", "no picture"]
    assert not [path for path in objects.rglob("*") if path.name.startswith(".")]  # no locks, no half files
    (tmp_path / "in" / "001.png").write_bytes(b"ok now")
    process = command("--workers", 2, "--out", out, "--together", 3)
    assert "1 made, 4 found done, 1 failed" in process.communicate(timeout=120)[1]
    process = command("--workers", 2)
    process.communicate(timeout=120)
    assert glbs(tmp_path / "out") == glbs(objects) and len(glbs(objects)) == 5


class Closed(fsspec.AbstractFileSystem):
    """A store without the bucket, or without the right to write: `s3fs` says it in these words."""

    protocol = "closed"

    def pipe_file(self, path, value, **_):
        if path.startswith("missing"):
            raise FileNotFoundError("The specified bucket does not exist")
        raise RuntimeError("Unable to locate\ncredentials")


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        ("closed://missing/results", BadInput, "The specified bucket does not exist"),
        ("closed://mine/results", BadInput, "Unable to locate credentials"),
        ("nosuch://bucket/results", BadInput, "Protocol not known"),
        ("s3://bucket/results", MissingBackend, "pip install 'zero123pp[s3]'"),
    ],
)
def test_stores_that_are_not_there(out, error, words, monkeypatch, tmp_path, capsys):
    fsspec.register_implementation("closed", Closed, clobber=True)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(error) as caught:
        open_store(out)
    assert words in str(caught.value)
    (tmp_path / "toy.png").write_bytes(b"1")
    assert main(["batch", "--images", str(tmp_path), "--out", out, "--model", "inflated", "--workers", "1"]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_folders_stay_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("results", "s3", "C:results", "a/b://c"):
        assert absolute(name) == str(tmp_path / name)
    assert absolute("s3://bucket/x") == "s3://bucket/x" and absolute("dir::file:///x") == "dir::file:///x"
