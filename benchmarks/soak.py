"""Long and hostile runs, counted: what a batch and the library do when everything round them goes wrong.

`python benchmarks/soak.py kills --items 2000` and so on; each prints what happened as JSON. Experiments with scripted
items run the real command, its processes, files, locks and signals; only the mesh is a stand-in, see
tests/helpers/batch_makers.py.

kills    workers and driver killed at random moments, started again until all is done
disk     a file system that fills up, is enlarged a little, and fills up again
clock    the clock of every process jumps by years at each look at it
memory   processes whose address space is limited, and items that ask for more
worker   resident memory of one worker over many real objects
threads  one ImageTo3D called from eight threads
"""

import argparse
import ctypes
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
HELPERS = ROOT / "tests" / "helpers"
sys.path[:0] = [str(ROOT), str(HELPERS)]

TINY = ("fit.steps=4", "fit.levels=[24]", "clean.faces=120", "texture.size=64", "cutout.size_px=64")
"""Config of the smallest object that still goes through every stage."""

JUMPING = """
import random, time
time.time = lambda chance=random.Random(0): chance.choice((-1, 1)) * chance.random() * 1e10
time.time_ns = lambda: int(time.time() * 1e9)
"""
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))
"""


def main() -> None:
    """Run one of the experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=("kills", "disk", "clock", "memory", "worker", "threads"))
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=10.0, help="begin nothing new after so long")
    parser.add_argument("--kill-seconds", type=float, default=2.0, help="between two kills of a worker, on average")
    parser.add_argument("--driver-kills", type=int, default=6)
    parser.add_argument("--threads", type=int, default=8)
    args = parser.parse_args()
    start = time.monotonic()
    found = globals()[args.experiment](args)
    print(json.dumps({"experiment": args.experiment, **found, "minutes": round((time.monotonic() - start) / 60, 1)}))


def write_items(home: Path, words: list[str]) -> None:
    """Scripted pictures, one a word."""
    home.mkdir(parents=True)
    for row, word in enumerate(words):
        (home / f"{row:05d}.png").write_bytes(f"{word} #{row}".encode())


def start(home: Path, out: Path, *, before: str = "") -> subprocess.Popen:
    """The scripted command; ``before`` is run in every one of its processes first."""
    environment = dict(os.environ)
    first = [str(ROOT), str(HELPERS)]
    if before:
        (home.parent / "before").mkdir(exist_ok=True)
        (home.parent / "before" / "sitecustomize.py").write_text(before)
        first.insert(0, str(home.parent / "before"))
    environment["PYTHONPATH"] = os.pathsep.join(first)
    line = [sys.executable, str(HELPERS / "batch_makers.py"), "batch", "--images", str(home), "--out", str(out)]
    line += ["--model", "inflated", "--workers", "2"]
    return subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)


def state(out: Path, items: int) -> dict[str, object]:
    """What is there in the end: nothing lost, nothing doubled, nothing half."""
    from batch_results import results

    marks = [json.loads(path.read_text()) for path in results(out)]
    keys = Counter(said["key"] for said in marks)
    whole = sum(hashlib.sha256((out / said["glb"]).read_bytes()).hexdigest() == said["sha256"] for said in marks)
    return {
        "items": items,
        "results": len(keys),
        "whole": whole,
        "doubled": sum(count - 1 for count in keys.values()),
        "given_up": len(list((out / "failed").iterdir())),
        "glbs_without_a_mark": len(list(out.rglob("*.glb"))) - len(marks),
        "temporary_files": len([path for path in out.rglob("*") if path.name.endswith(".tmp")]),
    }


def kills(args: argparse.Namespace) -> dict[str, object]:
    """Workers die every few seconds, the driver some times."""
    from batch_results import results, worker_processes

    chance, worker_kills, driver_kills, rewritten, seen = random.Random(0), 0, 0, 0, {}
    with TemporaryDirectory() as folder:
        home, out = Path(folder) / "in", Path(folder) / "out"
        write_items(home, [f"sleep {chance.random() * 0.02:.3f}" for _ in range(args.items)])
        until = time.monotonic() + 60 * args.minutes
        codes = []
        while not codes or (codes[-1] != 0 and time.monotonic() < until):
            process = start(home, out)
            share = args.items * (driver_kills + 1) // (args.driver_kills + 1)
            while process.poll() is None:
                time.sleep(chance.uniform(0, 2 * args.kill_seconds))
                found = worker_processes(out) if out.is_dir() else []
                found = [pid for pid in found if pid != process.pid]
                if found and process.poll() is None:
                    os.kill(chance.choice(found), signal.SIGKILL)
                    worker_kills += 1
                if driver_kills < args.driver_kills and out.is_dir() and len(results(out)) >= share:
                    driver_kills += 1
                    process.kill()
                    process.wait()
                if time.monotonic() > until:
                    process.terminate()
                    process.wait()
            codes.append(process.returncode)
            process.stderr.close()
            for path in results(out):
                content = path.read_bytes()
                rewritten += seen.setdefault(path.name, content) != content
        return state(out, args.items) | {
            "worker_kills": worker_kills, "driver_kills": driver_kills, "runs": len(codes), "rewritten": rewritten,
        }  # fmt: skip


def disk(args: argparse.Namespace) -> dict[str, object]:
    """A file system of 4 MB that is enlarged by 4 MB whenever the run has stopped because it is full."""
    libc, full, tracebacks = ctypes.CDLL(None, use_errno=True), 0, 0
    with TemporaryDirectory() as folder:
        home, mount = Path(folder) / "in", Path(folder) / "disk"
        write_items(home, ["ok"] * args.items)
        mount.mkdir()
        size = 4
        if libc.mount(b"tmpfs", str(mount).encode(), b"tmpfs", 0, b"size=4m"):
            return {"skipped": "a file system cannot be mounted here"}
        try:
            until = time.monotonic() + 60 * args.minutes
            while time.monotonic() < until:
                process = start(home, mount)
                said = process.communicate()[1]
                if process.returncode == 0:
                    break
                full += "disk is full" in said
                tracebacks += "Traceback" in said
                size += 4
                libc.mount(b"tmpfs", str(mount).encode(), b"tmpfs", 32, f"size={size}m".encode())  # MS_REMOUNT
            return state(mount, args.items) | {"stops": full, "tracebacks": tracebacks, "mb": size}
        finally:
            libc.umount2(str(mount).encode(), 2)


def clock(args: argparse.Namespace) -> dict[str, object]:
    """Two runs one after the other in processes whose clocks jump."""
    with TemporaryDirectory() as folder:
        home, out = Path(folder) / "in", Path(folder) / "out"
        write_items(home, ["ok"] * args.items)
        said = [start(home, out, before=JUMPING).communicate()[1].splitlines() for _ in range(2)]
        totals = [next(line for line in each if " found done, " in line) for each in said]
        return state(out, args.items) | {"said": totals}


def memory(args: argparse.Namespace) -> dict[str, object]:
    """Every twentieth item wants more than its process may have."""
    with TemporaryDirectory() as folder:
        home, out = Path(folder) / "in", Path(folder) / "out"
        words = ["leak 4000 0" if row % 20 == 7 else "ok" for row in range(args.items)]
        write_items(home, words)
        process = start(home, out, before=LIMITED.format(3 * 2**30))
        process.communicate()
        wanted = sum(word != "ok" for word in words)
        kinds = Counter(json.loads(path.read_text())["kind"] for path in (out / "failed").iterdir())
        return state(out, args.items) | {
            "too_large": wanted,
            "given_up_as": dict(kinds),
            "exit": process.returncode,
        }


def worker(args: argparse.Namespace) -> dict[str, object]:
    """Resident memory of one process over real objects."""
    from multiprocessing import connection

    from scaling import write_sheets

    from zero123pp.pipelines.batch.job import BatchSettings, Task
    from zero123pp.pipelines.batch.process import Limits, WorkerProcess
    from zero123pp.pipelines.batch.store import Store

    used, kinds = [], Counter()
    with TemporaryDirectory() as folder, Store(Path(folder) / "out") as store:
        write_sheets(Path(folder) / "in", args.items, 48)
        settings = BatchSettings(str(store.out), "fast", TINY, thumbnail_px=0)
        running = WorkerProcess(settings, Limits(items=args.items + 1, growth_mb=10**6))
        until = time.monotonic() + 60 * args.minutes
        for index, path in enumerate(sorted((Path(folder) / "in").glob("*.png"))):
            if time.monotonic() > until:
                break
            call = {"rig": "v1.2", "seed": index}
            running.submit([Task(f"{index:064x}", path.name, call, "inflated", views=path.read_bytes())])
            while not (outcomes := running.poll()):
                connection.wait([running.pipe], 0.1)
            used.append(outcomes[0].memory_mb)
            kinds[outcomes[0].kind] += 1
        running.stop()
    marks = {f"after_{n}": used[n - 1] for n in (1, 10, 50, 100, 200, 300, 400, 500) if n <= len(used)}
    return {"objects": len(used), "outcomes": dict(kinds), "mb": marks | {"last": used[-1], "most": max(used)}}


def threads(args: argparse.Namespace) -> dict[str, object]:
    """Eight threads, each with seeds and sheets of its own turn, in one process."""
    from scaling import write_sheets

    from zero123pp import ImageTo3D
    from zero123pp.pipelines.batch.worker import resident_mb
    from zero123pp.recon.export import encode_glb

    with TemporaryDirectory() as folder:
        write_sheets(Path(folder), 5, 48)
        sheets = sorted(Path(folder).glob("*.png"))
        pipe = ImageTo3D.from_pretrained("inflated", preset="fast", overrides=TINY)

        def digest(number: int) -> str:
            asset = pipe(views=sheets[number % len(sheets)], rig="v1.2", seed=number % 3)
            return hashlib.sha256(encode_glb(asset.textured, "a", asset.extras)["a.glb"]).hexdigest()

        alone = {number: digest(number) for number in range(15)}  # every sheet with every seed
        until, lock, calls, wrong, errors = time.monotonic() + 60 * args.minutes, threading.Lock(), 0, 0, []
        first = resident_mb(os.getpid())

        def work(number: int) -> None:
            nonlocal calls, wrong
            while time.monotonic() < until:
                try:
                    same = digest(number) == alone[number % 15]
                except Exception as error:
                    errors.append(repr(error))
                    return
                with lock:
                    calls, wrong = calls + 1, wrong + (not same)
                number += args.threads

        running = [threading.Thread(target=work, args=(number,)) for number in range(args.threads)]
        for each in running:
            each.start()
        for each in running:
            each.join()
        return {
            "threads": args.threads, "calls": calls, "other_bytes_than_alone": wrong, "errors": errors,
            "mb_before": first, "mb_after": resident_mb(os.getpid()),
        }  # fmt: skip


if __name__ == "__main__":
    main()
