"""Where results lie: readable names that no other result has, in folders that hold both layouts."""

import csv
import hashlib
import json
import os

import numpy as np
import pytest
from batch_results import glbs, results

from zero123pp.errors import BadInput
from zero123pp.images import own_png
from zero123pp.pipelines.batch.contact import write_contact_sheets
from zero123pp.pipelines.batch.items import Item, Shard, read_items
from zero123pp.pipelines.batch.places import hashed, is_taken, readable
from zero123pp.pipelines.batch.store import Store
from zero123pp.pipelines.commands.cli import main

KEYS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]


def write(store, key, name="", content=b"glTF zero123pp"):
    place = store.place(key, name)
    store.write(place, {".glb": content}, {"key": key, "glb": f"{place}.glb", "bytes": len(content)})
    store.release(key)
    return place


@pytest.mark.quick
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pics/My toy.png", "My_toy"),
        ("pics\\one.PNG", "one"),
        ("Löffel.jpeg", "Löffel"),
        ("a.b.c", "a.b"),
        ("v1.2 of it", "v1.2_of_it"),
        ("a red robot, and: a <b>", "a_red_robot,_and_a_b"),
        ("../..", "item"),
        (".hidden.png", "hidden"),
        ("-rf.png", "rf"),
        ("a\nb\0.png", "a_b"),
        ("\udcff.png", "item"),
        ("x" * 300 + ".png", "x" * 100),
    ],
)
def test_names_are_such_as_every_file_system_takes(source, name):
    found = readable(source)
    assert found == (name if name != "item" or source != "\udcff.png" else found)
    assert 0 < len(os.fsencode(found)) <= 200 and "/" not in found and not found.startswith((".", "-"))


@pytest.mark.quick
def test_items_that_would_share_a_name_say_so_in_every_shard(tmp_path):
    rows = ["a/toy.png,1", "b/TOY.jpg,1", "index.png,1", "car.png,1", "car.png,1", "cup.png,1", "cup.png,2"]
    (tmp_path / "list.csv").write_text("image,seed\n" + "\n".join(rows) + "\n")
    whole, _ = read_items(tmp_path / "list.csv", Item(0))
    assert [item.shares_name for item in whole] == [True, True, True, False, False, True, True]
    assert [item.name for item in whole] == ["toy", "TOY", "index", "car", "car", "cup", "cup"]
    parts = [read_items(tmp_path / "list.csv", Item(0), Shard(n, 2))[0] for n in (1, 2)]
    assert sorted((item for part in parts for item in part), key=lambda item: item.row) == whole
    assert is_taken("contact_sheet_2") and is_taken("index-1-of-3") and not is_taken("index_of_toys")


@pytest.mark.quick
def test_a_name_belongs_to_one_result(tmp_path):
    with Store(tmp_path, "flat") as store:
        assert write(store, KEYS[0], "toy") == "toy"
        assert write(store, KEYS[1], "toy") == f"toy-{KEYS[1][:8]}"  # the same name, another key
        assert store.place(KEYS[2], "car") == "car"
        assert store.place(KEYS[3], "Car") == f"Car-{KEYS[3][:8]}"  # under way in this run, on some disks the same file
        store.release(KEYS[2])
        assert store.place(KEYS[3], "car") == "car"
        assert store.place(KEYS[1], "toy", is_shared=True) == f"toy-{KEYS[1][:8]}"
        assert [store.result(key, "toy")["glb"] for key in KEYS[:2]] == ["toy.glb", f"toy-{KEYS[1][:8]}.glb"]
        assert store.result(KEYS[0], "")["glb"] == "toy.glb" and store.result(KEYS[2], "toy") is None
    said = json.loads((tmp_path / "toy.json").read_text())
    assert said["key"] == KEYS[0]


@pytest.mark.quick
def test_a_picture_of_two_names_has_one_result(tmp_path):
    with Store(tmp_path, "flat") as store, Store(tmp_path, "flat") as other:
        assert store.result(KEYS[0], "copy") is None and other.result(KEYS[0], "copy") is None
        write(store, KEYS[0], "toy")
        for each in (store, other):
            assert each.result(KEYS[0], "copy")["glb"] == "toy.glb" and each.result(KEYS[1], "toy") is None


@pytest.mark.quick
def test_a_name_that_another_run_is_about_to_take_is_not_taken(tmp_path):
    import subprocess
    import sys

    code = f"""
from zero123pp.pipelines.batch.store import Store
with Store({str(tmp_path)!r}, "flat") as store:
    print(store.claim({KEYS[0]!r}), store.place({KEYS[0]!r}, "toy"), flush=True)
    input()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "True toy\n"
    with Store(tmp_path, "flat") as store:
        assert not store.claim(KEYS[0]) and store.claim(KEYS[1])
        assert store.place(KEYS[1], "toy") == f"toy-{KEYS[1][:8]}"
        store.release(KEYS[1])
        other.communicate("\n")
        assert store.place(KEYS[1], "toy") == "toy"


@pytest.mark.quick
def test_files_of_others_stay_and_what_killed_workers_left_is_replaced(tmp_path):
    with Store(tmp_path, "flat") as store:
        (tmp_path / "toy.png").write_bytes(b"theirs")
        assert write(store, KEYS[0], "toy") == f"toy-{KEYS[0][:8]}"
        (tmp_path / "car.glb").write_bytes(b"glTF of somebody else")
        assert write(store, KEYS[1], "car") == f"car-{KEYS[1][:8]}"
        (tmp_path / "cup.json").write_text("[1]")
        assert write(store, KEYS[2], "cup") == f"cup-{KEYS[2][:8]}"
        (tmp_path / "hat.glb").write_bytes(b'glTF....{"generator":"zero123pp 1"}')
        (tmp_path / "hat.png").write_bytes(own_png(np.zeros((2, 2, 3), np.uint8)))
        assert write(store, KEYS[3], "hat") == "hat"
        (tmp_path / "cap.glb").write_bytes(b'glTF....{"generator":"zero123pp 1"}')  # of a single run
        assert write(store, KEYS[4], "cap") == f"cap-{KEYS[4][:8]}"
    assert (tmp_path / "toy.png").read_bytes() == b"theirs"
    assert (tmp_path / "car.glb").read_bytes() == b"glTF of somebody else"


def test_results_of_either_layout_are_found_by_the_other(tmp_path, write_items, command):
    write_items(["ok"] * 3)
    out = tmp_path / "out"
    for layout, made, places in (("hashed", 3, 0), ("flat", 0, 0), ("auto", 0, 0)):
        said = command("--workers", 1, "--layout", layout).communicate(timeout=120)[1]
        assert f"{made} made, {3 - made} found done" in said
        assert len(list(out.glob("*.glb"))) == places and len(glbs(out)) == 3
    assert f"look at {out}/index.html" in said
    (tmp_path / "in" / "003.png").write_bytes(b"ok #3")
    command("--workers", 1).communicate(timeout=120)
    assert (out / "003.glb").is_file() and len(results(out)) == 4
    said = command("--workers", 1, "--layout", "hashed").communicate(timeout=120)[1]
    assert "0 made, 4 found done" in said
    with open(out / "index.csv", newline="") as file:
        assert [row["glb"] for row in csv.DictReader(file)][3] == "003.glb"
    page = (out / "index.html").read_text()
    assert 'href="003.glb"' in page and 'href="003.json"' in page and "http:" not in page and "https:" not in page


def test_results_of_other_libraries_or_weights_are_not_taken_for_done(tmp_path, write_items, run_batch, make_engine):
    from dataclasses import replace

    from zero123pp.pipelines.batch import identity
    from zero123pp.pipelines.batch.job import BatchSettings

    items, engine = write_items(["ok"] * 2), make_engine(BatchSettings(str(tmp_path / "out")))
    assert run_batch(engine, items).done == 2
    before = glbs(tmp_path / "out")
    real = identity.library_versions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "library_versions", lambda names: real(names) | {"numpy": "99"})
        assert run_batch(engine, items).done == 2
        assert run_batch(engine, items).found == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "_bundled_digest", lambda: "other weights")
        assert run_batch(engine, [replace(item) for item in items]).done == 2
    assert run_batch(engine, items).found == 2
    assert len(glbs(tmp_path / "out")) == 6 and before.items() <= glbs(tmp_path / "out").items()


@pytest.mark.quick
def test_results_and_pictures_keep_apart(tmp_path, capsys):
    (tmp_path / "toy.png").write_bytes(b"x")
    assert main(["batch", "--images", str(tmp_path), "--out", str(tmp_path / "."), "--model", "inflated"]) == 2
    assert "is the folder of the pictures" in capsys.readouterr().err
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "toy.png").write_bytes(b"x")
    items, _ = read_items(tmp_path, Item(0), skip=tmp_path / "results")
    assert [item.image for item in items] == ["toy.png"]
    (tmp_path / "index.html").write_text("<html>theirs</html>")
    with pytest.raises(BadInput, match=r"index\.html was not written by this program"):
        write_contact_sheets([], tmp_path, Shard(), lambda glb: False)
    assert hashed("ab" * 32).startswith("ab/ab")


@pytest.mark.quick
def test_the_list_is_not_replaced_by_the_table(tmp_path, capsys):
    (tmp_path / "index.csv").write_text("image\ntoy.png\n")
    assert main(["batch", "--images", str(tmp_path / "index.csv"), "--out", str(tmp_path), "--model", "inflated"]) == 2
    assert "would be replaced by the table" in capsys.readouterr().err
    assert (tmp_path / "index.csv").read_text() == "image\ntoy.png\n"


@pytest.mark.quick
def test_hidden_files_of_others_are_not_cleared_away(tmp_path):
    with Store(tmp_path, "flat") as store:
        (tmp_path / ".mine.tmp").write_text("theirs")
        (tmp_path / ".0123456789abcdef.tmp").write_text("left behind")
        (tmp_path / ".work.0123456789abcdef.tmp").mkdir()
        assert store.clean() == 1
    assert {".mine.tmp", ".work.0123456789abcdef.tmp"} <= {path.name for path in tmp_path.iterdir()}
