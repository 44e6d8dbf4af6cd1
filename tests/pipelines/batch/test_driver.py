"""The promises of a batch on every engine: nothing is lost, nothing is blamed that is innocent, nothing runs twice."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from batch_results import glbs, quarantined, results, worker_processes

from zero123pp.errors import StageFailed
from zero123pp.pipelines.batch.job import BatchSettings
from zero123pp.pipelines.batch.local import LocalEngine
from zero123pp.pipelines.batch.process import Limits
from zero123pp.pipelines.batch.store import Store

LAYOUTS = pytest.mark.parametrize("run_batch", ["flat", "hashed"], indirect=True)


def test_bad_items_harm_no_neighbour(tmp_path, make_engine, write_items, run_batch):
    words = ["ok", "exit", "ok", "segv", "ok", "raise", "ok", "refuse", "ok", "sleep 60", "ok"]
    items = write_items(words)
    out = tmp_path / "out"
    tally = run_batch(make_engine(BatchSettings(str(out)), Limits(deadline_s=5)), items)
    reasons = quarantined(out)
    assert {name: said["kind"] for name, said in reasons.items()} == {
        "001.png": "crashed",
        "003.png": "crashed",
        "005.png": "failed",
        "007.png": "refused",
        "009.png": "deadline",
    }
    assert (tally.done, tally.failed, tally.total) == (6, 5, 11)
    assert {said["tries"] for name, said in reasons.items() if name != "007.png"} == {2}
    assert reasons["007.png"]["tries"] == 1  # a refusal is no accident
    assert "exit code 3" in reasons["001.png"]["reason"] and "SIGSEGV" in reasons["003.png"]["reason"]
    assert "Segmentation fault" in reasons["003.png"]["reason"]  # and where it was
    assert "longer than 5 s" in reasons["009.png"]["reason"]
    assert len(glbs(out)) == 6 and not list(out.rglob("*.tmp"))


def company(out):
    """How many were drawn together with each result, by its key."""
    return {said["key"]: said["company"] for said in (json.loads(path.read_text()) for path in results(out))}


def test_items_that_are_drawn_together(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["ok"] * 7), tmp_path / "out"
    items[2] = replace(items[2], steps=5)  # drawn in another way, as are those after it
    items[4] = replace(items[4], image=None, views=items[4].image)  # not drawn at all
    (tmp_path / "in" / "006.png").write_bytes((tmp_path / "in" / "005.png").read_bytes())
    engine = make_engine(BatchSettings(str(out)), workers=1)
    tally = run_batch(engine, items, together=4)
    assert (tally.done, tally.found, tally.tries, tally.failed) == (6, 1, 6, 0)
    assert [company(out)[key] for key in tally.keys] == [2, 2, 1, 1, 1, 1, 1]
    before = glbs(out)
    out.rename(tmp_path / "before")
    assert run_batch(engine, items[::-1], together=1).done == 6 and glbs(out) == before


def test_bad_items_harm_no_company(tmp_path, make_engine, write_items, run_batch):
    words = ["ok", "poison", "ok", "ok", "exit", "ok", "shy", "raise", "ok", "refuse", "stuck", "ok"]
    items, out = write_items(words), tmp_path / "out"
    tally = run_batch(make_engine(BatchSettings(str(out)), Limits(deadline_s=3)), items, together=3)
    reasons = quarantined(out)
    assert {name: said["kind"] for name, said in reasons.items()} == {
        "001.png": "crashed",
        "004.png": "crashed",
        "007.png": "failed",
        "009.png": "refused",
        "010.png": "deadline",
    }
    assert (tally.done, tally.failed, tally.total) == (7, 5, 12)
    assert {said["tries"] for name, said in reasons.items() if name != "009.png"} == {2}
    groups = [company(out).get(key) for key in tally.keys]
    assert groups[3] == 3, "nothing was drawn together, so nothing was tested"
    assert groups[:3] == [1, None, 1] and groups[5] == groups[6] == 1  # tried again alone
    assert not list(out.rglob("*.tmp"))


def test_each_item_has_its_share_of_the_drawing(tmp_path, write_items, run_batch):
    items, out = write_items(["draw 1.4 0", "draw 1.4 0", "draw 1.4 2"]), tmp_path / "out"
    engine = LocalEngine(BatchSettings(str(out)), Limits(deadline_s=3), 1, maker="batch_makers:Scripted")
    try:
        tally = run_batch(engine, items, together=3)
    finally:
        engine.close()
    # 4.2 s of drawing are within three deadlines; 1.4 s of it and 2 s of its own are beyond that of the last item
    assert [company(out).get(key) for key in tally.keys] == [3, 3, None]
    assert quarantined(out)["002.png"]["kind"] == "deadline" and tally.tries == 4


def test_a_worker_killed_in_company_blames_nobody(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["draw 0.4 0.1"] * 6), tmp_path / "out"
    engine, killed = make_engine(BatchSettings(str(out)), workers=1), []

    def kill_once(tally):
        found = worker_processes(out)
        if found and not killed and tally.done >= 1:
            os.kill(found[0], signal.SIGKILL)
            killed.append(found[0])

    tally = run_batch(engine, items, tick=kill_once, together=3)
    assert killed and (tally.done + tally.found, tally.failed) == (6, 0) and not quarantined(out)


@LAYOUTS
def test_killed_workers_lose_nothing_and_blame_nobody(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["sleep 0.15"] * 16), tmp_path / "out"
    engine = make_engine(BatchSettings(str(out)))
    over, kills, chance = threading.Event(), [], random.Random(0)

    def kill_after_every_third_item():  # by progress and not by the clock: a busy machine must not kill one item thrice
        while not over.wait(0.02):
            found = worker_processes(out)
            if found and len(list(out.rglob("*.glb"))) >= 3 * (len(kills) + 1):
                chosen = chance.choice(found)
                with suppress(ProcessLookupError):  # it may have ended by itself
                    os.kill(chosen, signal.SIGKILL)
                    kills.append(chosen)

    killer = threading.Thread(target=kill_after_every_third_item)
    killer.start()
    try:
        tally = run_batch(engine, items)
    finally:
        over.set()
        killer.join()
    assert len(kills) >= 3, "hardly anything was killed, so nothing was tested"
    # A worker that was killed between its last file and its word that it is done: the next one finds the result.
    assert (tally.done + tally.found, tally.failed) == (16, 0) and len(glbs(out)) == 16
    assert not quarantined(out)


@LAYOUTS
def test_running_again_makes_only_what_is_missing(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["ok", "ok", "raise", "ok"]), tmp_path / "out"
    engine = make_engine(BatchSettings(str(out)))
    first = run_batch(engine, items)
    before = glbs(out)
    again = run_batch(engine, items)
    assert (again.done, again.found, again.failed, again.tries) == (0, 3, 1, 0)
    with Store(out) as store:
        store.path(first.keys[0], ".json", "000").unlink()  # killed before the last file
        store.path(first.keys[1], ".glb", "001").write_bytes(b"glTF")  # a disk that lies
    again = run_batch(engine, items)
    assert (again.done, again.found, again.failed) == (2, 1, 1) and glbs(out) == before
    (tmp_path / "in" / "002.png").write_bytes(b"ok now")  # another picture is another item
    assert run_batch(engine, items).done == 1


def test_failures_are_tried_again_when_asked(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["raise"]), tmp_path / "out"
    engine = make_engine(BatchSettings(str(out)))
    assert run_batch(engine, items).tries == 2
    assert run_batch(engine, items).tries == 0
    assert run_batch(engine, items, retry_failed=True).tries == 2


def test_equal_pictures_are_made_once(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["ok"] * 6), tmp_path / "out"
    for path in (tmp_path / "in").iterdir():
        path.write_bytes(b"ok all the same")
    tally = run_batch(make_engine(BatchSettings(str(out))), items)
    assert (tally.done, tally.found, tally.tries) == (1, 5, 1) and len(set(tally.keys)) == 1


@LAYOUTS
def test_any_order_and_any_number_of_workers_give_the_same_files(tmp_path, write_items, run_batch, make_engine):
    items, out = write_items([f"ok {n}" for n in range(8)]), tmp_path / "out"
    run_batch(make_engine(BatchSettings(str(out)), workers=1), items)
    first = glbs(out)
    out.rename(tmp_path / "first")
    engine = LocalEngine(BatchSettings(str(out)), Limits(), 3, maker="batch_makers:Scripted")
    try:
        run_batch(engine, items[::-1])
    finally:
        engine.close()
    assert glbs(out) == first and len(first) == 8


def test_leaking_workers_are_replaced(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["leak 60 0"] * 6), tmp_path / "out"
    tally = run_batch(make_engine(BatchSettings(str(out)), Limits(growth_mb=100), workers=1), items)
    pids = Counter(json.loads(path.read_text())["pid"] for path in results(out))
    assert tally.done == 6 and len(pids) >= 2 and max(pids.values()) <= 3


def test_workers_are_replaced_after_so_many_items(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["ok"] * 4), tmp_path / "out"
    assert run_batch(make_engine(BatchSettings(str(out)), Limits(items=2), workers=1), items).done == 4
    pids = Counter(json.loads(path.read_text())["pid"] for path in results(out))
    assert sorted(pids.values()) == [2, 2]


def test_items_that_need_too_much_memory_are_stopped(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["ok", "leak 700 20", "ok"]), tmp_path / "out"
    tally = run_batch(make_engine(BatchSettings(str(out)), Limits(memory_mb=400), workers=1), items)
    assert (tally.done, tally.failed) == (2, 1)
    said = quarantined(out)["001.png"]
    assert said["kind"] == "memory" and "more than --memory 400" in said["reason"]


def test_hopeless_runs_stop_before_they_blame_everything(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["refuse"] * 40), tmp_path / "out"
    with pytest.raises(StageFailed, match="20 failures in a row"):
        run_batch(make_engine(BatchSettings(str(out))), items)
    assert len(quarantined(out)) <= 21


def test_stopping_waits_for_no_item_and_leaves_nothing(tmp_path, make_engine, write_items, run_batch):
    items, out = write_items(["sleep 600"] * 4), tmp_path / "out"
    engine = make_engine(BatchSettings(str(out)))
    begun = []
    tally = run_batch(engine, items, stopped=lambda: len(begun) > 5, tick=lambda tally: begun.append(tally.tries))
    engine.close()
    assert tally.done == 0 and begun[-1] > 0  # items had been begun, and were not waited for
    until = time.monotonic() + 60
    while worker_processes(out) and time.monotonic() < until:
        time.sleep(0.05)
    assert not worker_processes(out)


def test_the_clock_of_the_machine_is_never_asked(tmp_path, write_items, run_batch, monkeypatch, make_engine):
    items, out = write_items(["ok"] * 3), tmp_path / "out"
    engine = make_engine(BatchSettings(str(out)), Limits(deadline_s=20))
    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: (-1) ** next(jumps) * 1e9)
    assert run_batch(engine, items).done == 3
