"""How batches behave when things die, what the engine costs, and what a large cluster would make of it.

    python benchmarks/scaling.py chaos --items 200 [--engine ray]    kill workers and drivers, then count what is there
    python benchmarks/scaling.py overhead --items 24                 the engine against a plain loop; two workers
    python benchmarks/scaling.py hostile --count 1000 --mesh 40      pictures and lists that mean no good
    python benchmarks/scaling.py simulate                            10^6 pictures on 100 nodes that fail now and then

Each prints JSON. docs/scaling.md has the numbers.
"""

import argparse
import hashlib
import heapq
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

SMALL = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64")
"""Config of the smallest object that still goes through every stage."""


def main() -> None:
    """Run one of the experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=("chaos", "overhead", "hostile", "simulate"))
    parser.add_argument("--items", type=int, default=200, help="objects to make (chaos, overhead)")
    parser.add_argument("--count", type=int, default=1000, help="hostile files")
    parser.add_argument("--mesh", type=int, default=40, help="so many of the hostile pictures that are read are meshed")
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--kill-seconds", type=float, default=10.0, help="between two kills of a worker")
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--nodes", type=int, default=100)
    args = parser.parse_args()
    print(json.dumps(globals()[args.experiment](args), indent=2))


def write_sheets(folder: Path, count: int, tile_px: int = 64) -> Path:
    """``count`` sheets of a toy in as many colours, and the list of them."""
    import numpy as np
    from PIL import Image
    from toy import toy_mesh

    from zero123pp.images import tile_sheet, to_uint8
    from zero123pp.recon.render import render
    from zero123pp.rigs import RIGS

    folder.mkdir(parents=True, exist_ok=True)
    views = [render(toy_mesh(64), camera) for camera in RIGS["v1.2"].cameras(tile_px)]
    sheet = tile_sheet(np.stack([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views]))
    for index in range(count):
        other = sheet.copy()
        other[..., :3] = 255 - (255 - other[..., :3]) * (1 - index / (2 * count))
        other[0, 0, :3] = index % 256, index // 256, 1  # invisible, and enough to be another picture
        Image.fromarray(other).save(folder / f"{index:04d}.png")
    path = folder / "list.csv"
    path.write_text("views,rig\n" + "".join(f"{index:04d}.png,v1.2\n" for index in range(count)))
    return path


def command(
    pictures: Path, out: Path, workers: int, engine: str = "local", values: tuple[str, ...] = SMALL
) -> list[str]:
    """The command line of a batch."""
    line = [sys.executable, str(ROOT / "run.py"), "batch", "--images", str(pictures), "--out", str(out)]
    line += ["--model", "inflated", "--workers", str(workers), "--engine", engine, "--thumbnail", "0"]
    return [*line, "--preset", "fast", *(word for value in values for word in ("--set", value))]


def chaos(args: argparse.Namespace) -> dict[str, object]:
    """Kill a random worker every few seconds, and the driver after a third and two thirds of the items."""
    chance = random.Random(0)
    with TemporaryDirectory() as folder:
        pictures, out = write_sheets(Path(folder) / "in", args.items), Path(folder) / "out"
        seen: dict[str, str] = {}
        rewritten, worker_kills, driver_kills = set(), 0, 0
        start = last_kill = time.monotonic()
        thresholds = [args.items // 3, 2 * args.items // 3]
        while True:
            process = subprocess.Popen(command(pictures, out, 2, args.engine), stderr=subprocess.DEVNULL)
            while process.poll() is None:
                time.sleep(0.2)
                for path in out.rglob("*.glb"):
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    if seen.setdefault(path.name, digest) != digest:
                        rewritten.add(path.name)
                if time.monotonic() - last_kill > args.kill_seconds:
                    last_kill = time.monotonic()
                    for pid in chance.sample(found, 1) if (found := _workers(out, process.pid)) else []:
                        os.kill(pid, signal.SIGKILL)
                        worker_kills += 1
                if thresholds and _count(out) >= thresholds[0]:
                    thresholds.pop(0)
                    driver_kills += 1
                    process.kill()
                    process.wait()
            if process.returncode != -signal.SIGKILL:
                break
        files = sorted(out.rglob("*.glb"))
        return {
            "engine": args.engine,
            "items": args.items,
            "valid_glbs": sum(_is_valid(path) for path in files),
            "worker_kills": worker_kills,
            "driver_kills": driver_kills,
            "rewritten_with_other_bytes": len(rewritten),
            "changed_after_seen": sum(hashlib.sha256(p.read_bytes()).hexdigest() != seen.get(p.name) for p in files),
            "temporary_files": len([path for path in out.rglob("*") if path.name.endswith(".tmp")]),
            "given_up": len(list((out / "failed").iterdir())),
            "exit_code": process.returncode,
            "seconds": round(time.monotonic() - start, 1),
        }


def _count(out: Path) -> int:
    """How many results are finished."""
    return len([path for path in out.rglob("*.json") if path.parent.name != "failed"])


def _workers(out: Path, driver: int) -> list[int]:
    """Processes that may write results: they hold the lock file open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
        except OSError:
            continue
        if str(out / ".writers") in links and int(pid) != driver:
            found.append(int(pid))
    return found


def _is_valid(path: Path, faces: int = 50) -> bool:
    import trimesh

    mesh = trimesh.load(path, force="mesh")
    return len(mesh.faces) > faces and mesh.visual.uv is not None


def overhead(args: argparse.Namespace) -> dict[str, object]:
    """What the engine costs: the same items of the preset 'fast' in a plain loop and in a worker, taking turns.

    Everything is held to one core and to one thread. Turns, because other work on the machine makes the same item cost
    up to half as much again a minute later. Then the wall time of one and of two workers, each with a core.
    """
    from statistics import median

    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    with TemporaryDirectory() as folder:
        home = Path(folder)
        write_sheets(home, 2 * args.items + 2)
        loop, worker, driver = _in_turns(home, args.items)
        os.sched_setaffinity(0, cores)
        walls = {workers: _wall(home, workers, args.items) for workers in (1, 2)}
    return {
        "items": args.items,
        "loop_cpu_s": round(median(loop), 3),
        "worker_cpu_s": round(median(worker), 3),
        "driver_cpu_s": round(median(driver), 4),
        "overhead": round((sum(worker) + sum(driver)) / sum(loop) - 1, 4),
        "wall_s_per_item": {f"{workers} workers": round(wall, 3) for workers, wall in walls.items()},
        "load_average": round(os.getloadavg()[0], 1),
    }


def _in_turns(home: Path, count: int) -> tuple[list[float], list[float], list[float]]:
    """Processor seconds of each item in a loop, in a worker, and of the driver meanwhile; the first is for warmth."""
    from multiprocessing import connection

    import psutil

    from zero123pp import ImageTo3D
    from zero123pp.pipelines.batch.job import BatchSettings, Task
    from zero123pp.pipelines.batch.process import Limits, WorkerProcess
    from zero123pp.pipelines.batch.store import Store

    pipe = ImageTo3D.from_pretrained("inflated", preset="fast")
    loop, inside, driver = [], [], []
    with Store(home / "turns"):
        watched = WorkerProcess(BatchSettings(str(home / "turns"), "fast", thumbnail_px=0), Limits(), cores=(0,))
        for index in range(count + 1):
            start = time.process_time()
            pipe(views=home / f"{index:04d}.png").save(home / "loop.glb")
            loop.append(time.process_time() - start)
            data, start = (home / f"{count + 1 + index:04d}.png").read_bytes(), time.process_time()
            watched.submit([Task(f"{index:064x}", "item", {}, "inflated", None, data)])
            process = psutil.Process(watched.pid)
            before = process.cpu_times()
            while not (outcomes := watched.poll()):
                connection.wait([watched.pipe], 0.1)
            after = process.cpu_times()
            assert outcomes[0].kind == "done", outcomes
            inside.append(after.user + after.system - before.user - before.system)
            driver.append(time.process_time() - start)
        watched.stop()
    return loop[1:], inside[1:], driver[1:]


def _wall(home: Path, workers: int, count: int) -> float:
    """Wall seconds an item, from the first result on: without the start of the workers."""
    rows = "".join(f"{index:04d}.png\n" for index in range(count + workers))
    (home / "wall.csv").write_text("views\n" + rows)
    out = home / f"wall{workers}"
    process = subprocess.Popen(
        command(home / "wall.csv", out, 2, values=())
        if workers == 2
        else ["taskset", "-c", "0", *command(home / "wall.csv", out, 1, values=())],
        stderr=subprocess.DEVNULL,
    )
    marks = {}
    while process.poll() is None:
        marks.setdefault(_count(out), time.monotonic())
        time.sleep(0.02)
    first, last = min(n for n in marks if n >= workers), max(marks)
    return (marks[last] - marks[first]) / (last - first)


def hostile(args: argparse.Namespace) -> dict[str, object]:
    """Changed pictures and lists through the loaders, and a sample of the pictures that are read through whole runs."""
    sys.path.insert(0, str(ROOT / "tests" / "security"))
    from fuzz_inputs import CORPUS, TARGETS

    chance, slowest, outcomes = random.Random(0), 0.0, {"read": 0, "refused": 0}
    reasons: set[str] = set()
    readable: list[bytes] = []
    seeds = {name: [path.read_bytes() for path in sorted((CORPUS / name).iterdir())] for name in TARGETS}
    for _ in range(args.count):
        name = chance.choice(list(TARGETS))
        start = time.monotonic()
        spoilt = _spoilt(chance.choice(seeds[name]), chance)
        said = TARGETS[name](spoilt)
        slowest = max(slowest, time.monotonic() - start)
        outcomes["read" if said == "read" else "refused"] += 1
        reasons.add(said[:25])
        if said == "read" and name == "pictures":
            readable.append(spoilt)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    return {
        "files": args.count,
        **outcomes,
        "slowest_s": round(slowest, 2),
        "peak_mb": peak,
        "kinds": len(reasons),
        "pictures_read": len(readable),
        "runs": _meshed(chance.sample(readable, min(args.mesh, len(readable)))),
    }


def _meshed(pictures: list[bytes]) -> dict[str, object]:
    """Pictures through whole runs of 'preview', each in a worker that is watched: how they end, the longest time."""
    from multiprocessing import connection

    from zero123pp.pipelines.batch.job import BatchSettings, Task
    from zero123pp.pipelines.batch.process import Limits, WorkerProcess
    from zero123pp.pipelines.batch.store import Store

    counts, reasons, slowest, memory = dict.fromkeys(("meshed", "refused", "crashed"), 0), set(), 0.0, 0
    with TemporaryDirectory() as folder, Store(Path(folder) / "out") as store:
        worker = WorkerProcess(BatchSettings(str(store.out), "fast", SMALL, thumbnail_px=0), Limits(), cores=(0,))
        for index, picture in enumerate(pictures):
            task = Task(f"{index:064x}", "item", {"seed": 0}, "preview", picture)
            worker.submit([task])
            while not (outcomes := worker.poll()):
                connection.wait([worker.pipe], 0.1)
            (outcome,) = outcomes
            slowest, memory = max(slowest, outcome.seconds), max(memory, outcome.memory_mb)
            if outcome.kind == "done" and _is_valid(store.path(task.key, ".glb"), 3):
                counts["meshed"] += 1
            elif outcome.kind == "refused":
                counts["refused"] += 1
            else:
                counts["crashed"] += 1
            if outcome.reason:
                reasons.add(f"{outcome.kind}: {outcome.reason[:150]}")
        worker.stop()
    return {
        "tried": len(pictures),
        **counts,
        "slowest_s": round(slowest, 1),
        "memory_mb": memory,
        "reasons": sorted(reasons),
    }


def _spoilt(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(0, 8)):
        at = chance.randrange(len(changed) + 1)
        if chance.random() < 0.3:
            del changed[at : at + chance.randint(1, 60)]
        elif chance.random() < 0.5:
            changed[at:at] = chance.randbytes(chance.randint(1, 20))
        elif at < len(changed):
            changed[at] = chance.randrange(256)
    return bytes(changed)


@dataclass(frozen=True)
class Cluster:
    """What the simulation assumes; nothing of it was measured on GPUs."""

    workers_per_node: int = 2
    """Each with half a GPU: one draws while the other fits."""
    median_s: float = 12.0
    """Of one item on such a worker."""
    spread: float = 0.4
    """Standard deviation of the logarithm of an item's time."""
    node_life_h: float = 24.0
    """Mean time until a node is taken away, as spot machines are."""
    node_back_s: float = 600.0
    """Until another one has taken its place and loaded the model."""
    poison: float = 1e-4
    """Share of items that take their worker down each time."""
    hang: float = 2e-5
    """Share of items that never end."""
    deadline_s: float = 300.0
    restart_s: float = 20.0
    """Of a worker process, with its model."""
    dispatch_s: float = 0.002
    """Of the driver for an item: reading, hashing, claiming."""
    dollars_per_node_h: float = 1.0


def simulate(args: argparse.Namespace) -> dict[str, object]:
    """All pictures through a cluster that fails, by events; the driver's rules are those of the batch."""
    cluster, chance = Cluster(), random.Random(0)
    lives = [chance.expovariate(1 / (3600 * cluster.node_life_h)) for _ in range(args.nodes)]
    # (time, worker, node): when a worker asks for its next item
    free = [(0.0, w, w % args.nodes) for w in range(args.nodes * cluster.workers_per_node)]
    heapq.heapify(free)
    again: list[int] = []
    failures: dict[int, int] = {}
    fresh = done = tries = given_up = lost = 0
    driver, busy, useful, finished, last_99 = 0.0, 0.0, 0.0, 0.0, 0.0
    while free and (fresh < args.pictures or again):
        now, worker, node = heapq.heappop(free)
        driver = max(driver, now) + cluster.dispatch_s
        begin = driver
        if fresh < args.pictures:
            item, fresh = fresh, fresh + 1
        else:
            item = again.pop()
        tries += 1
        kind = random.Random(item * 7919 + 1).random()
        takes = cluster.median_s * chance.lognormvariate(0, cluster.spread)
        own_fault = kind < cluster.poison + cluster.hang
        if own_fault:
            takes = takes / 2 if kind < cluster.poison else cluster.deadline_s
        end = begin + takes
        if begin >= lives[node]:  # its node went while it was idle
            lives[node] = max(begin, lives[node]) + chance.expovariate(1 / (3600 * cluster.node_life_h))
        if end > lives[node]:
            end = lives[node]
            busy += max(0.0, end - begin)
            lost += 1
            again.append(item)
            heapq.heappush(free, (end + cluster.node_back_s, worker, node))
            continue
        busy += takes
        if own_fault:
            failures[item] = failures.get(item, 0) + 1
            if failures[item] >= 2:
                given_up += 1
                finished = max(finished, end)
            else:
                again.append(item)
            heapq.heappush(free, (end + cluster.restart_s, worker, node))
            continue
        useful += takes
        done += 1
        finished = max(finished, end)
        if done == int(0.99 * args.pictures):
            last_99 = end
        heapq.heappush(free, (end, worker, node))
    hours = finished / 3600
    slots = args.nodes * cluster.workers_per_node
    return {
        "assumed": asdict(cluster),
        "pictures": args.pictures,
        "nodes": args.nodes,
        "done": done,
        "given_up": given_up,
        "tries": tries,
        "cut_off_by_lost_nodes": lost,
        "hours": round(hours, 2),
        "pictures_per_hour": round(done / hours),
        "useful_share_of_busy_time": round(useful / busy, 4),
        "useful_share_of_paid_time": round(useful / (finished * slots), 4),
        "hours_for_the_last_percent": round((finished - last_99) / 3600, 2),
        "driver_busy_share": round(tries * cluster.dispatch_s / finished, 4),
        "dollars_per_1000": round(hours * args.nodes * cluster.dollars_per_node_h / done * 1000, 3),
    }


if __name__ == "__main__":
    main()
