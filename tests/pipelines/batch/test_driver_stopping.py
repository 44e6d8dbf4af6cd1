"""The command killed at random moments, twice at the same time, on full and read-only disks: then started again."""

import ctypes
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from batch_results import glbs, quarantined, results, worker_processes

from zero123pp.pipelines.batch.store import Store


def leftovers(out):
    return [path.name for path in out.rglob("*") if ".tmp" in path.name]


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


def gone(out):
    return not worker_processes(out)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_and_started_again(tmp_path, write_items, command, number, code, engine):
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed; pip install 'zero123pp[ray]'")
    write_items(["sleep 0.2"] * 12)
    out = tmp_path / "out"
    process = command("--workers", 2, "--engine", engine)
    wait_for(lambda: len(results(out)) >= 2, 90)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and "go on" in said and "Traceback" not in said
    wait_for(lambda: gone(out), 5)
    assert not leftovers(out) and 2 <= len(results(out)) < 12
    index = (out / "index.csv").read_text().splitlines()
    assert len(index) == 13 and sum(",done," in line for line in index) == len(results(out))
    before = glbs(out)
    process = command("--workers", 2)
    process.communicate(timeout=60)
    assert process.returncode == 0 and len(glbs(out)) == 12 and before.items() <= glbs(out).items()


@pytest.mark.parametrize("layout", ["flat", "hashed"])
def test_killed_at_random_moments_and_started_again(tmp_path, write_items, command, layout):
    write_items(["sleep 0.1"] * 40)
    out, chance, written, ends = tmp_path / "out", random.Random(1), {}, []
    for _ in range(3):
        process = command("--workers", 2, "--layout", layout)
        count = len(results(out))
        wait_for(lambda: len(results(out)) > count or process.poll() is not None)  # noqa: B023
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        ends.append(process.wait())
        wait_for(lambda: gone(out), 3)  # workers die with the driver, also in the middle of an item
        for name, content in glbs(out).items():
            assert written.setdefault(name, content) == content
    assert ends[0] == -signal.SIGKILL and written and len(results(out)) < 40  # work was going on
    process = command("--workers", 2, "--layout", layout)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(glbs(out)) == 40 and written.items() <= glbs(out).items()
    assert not leftovers(out) and not quarantined(out)


def test_what_killed_writers_left_is_removed_but_not_under_the_hands_of_others(tmp_path):
    out = tmp_path / "out"
    with Store(out) as store:
        (out / "ab").mkdir()
        (out / "ab" / ".0123456789abcdef.tmp").write_bytes(b"half")
        code = f"from zero123pp.pipelines.batch.store import Store; Store({str(out)!r}).open(); print(1, flush=True); "
        other = subprocess.Popen(
            [sys.executable, "-c", code + "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        other.stdout.readline()
        assert store.clean() is None and (out / "ab" / ".0123456789abcdef.tmp").exists()
        other.kill()
        other.wait()
        assert store.clean() == 1 and not leftovers(out)


@pytest.mark.parametrize("layout", ["flat", "hashed"])
def test_two_runs_into_the_same_folder_share_the_work(tmp_path, write_items, command, layout):
    write_items(["sleep 0.2"] * 14)
    out = tmp_path / "out"
    runs = [command("--workers", 1, "--layout", layout) for _ in range(2)]
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    made = [int(line.split(" made")[0].split()[-1]) for text in said for line in text.splitlines() if " made, " in line]
    assert sum(made) == 14 and len(glbs(out)) == 14 and not leftovers(out)


def test_shards_divide_the_work(tmp_path, write_items, command):
    write_items(["ok"] * 7)
    out = tmp_path / "out"
    for shard in ("1/3", "2/3", "3/3"):
        process = command("--workers", 1, "--shard", shard)
        process.communicate(timeout=60)
        assert process.returncode == 0
    rows = [(out / f"index-{n}-of-3.csv").read_text().splitlines()[1:] for n in (1, 2, 3)]
    assert [len(part) for part in rows] == [3, 2, 2] and len(glbs(out)) == 7


def small_disk(folder, size="64k"):
    """Mount a tmpfs; skips where that is not allowed."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={size}".encode()):
        pytest.skip("a small disk cannot be mounted here")
    return lambda: libc.umount2(str(folder).encode(), 2)


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, write_items, command):
    unmount = small_disk(tmp_path / "disk", "400k")  # a scripted result has 128 kB
    try:
        (tmp_path / "out").symlink_to(tmp_path / "disk")
        write_items(["ok"] * 8)
        process = command("--workers", 2)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1 and "disk is full" in said and "Traceback" not in said
        out = tmp_path / "disk"
        assert not leftovers(out) and not list((out / "failed").iterdir())
        done = [json.loads(path.read_text()) for path in results(out)]
        assert 1 <= len(done) < 8
        assert all((out / said["glb"]).stat().st_size == said["bytes"] for said in done)
    finally:
        unmount()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_refused(tmp_path, write_items, command):
    write_items(["ok"])
    tmp_path.chmod(0o500)
    process = command("--workers", 1)
    _, said = process.communicate(timeout=30)
    tmp_path.chmod(0o700)
    assert process.returncode == 2 and "cannot write" in said
