"""How batches behave when things die, what the engine costs, and what a large cluster would make of it.

    python benchmarks/scaling.py chaos --items 200 [--engine ray]    kill workers and drivers, then count what is there
    python benchmarks/scaling.py overhead --items 24                 the engine against a plain loop; two workers
    python benchmarks/scaling.py hostile --count 1000                pictures and lists that mean no good
    python benchmarks/scaling.py simulate                            10^6 pictures on 100 nodes that fail now and then

Each prints JSON. docs/scaling.md has the numbers.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
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


def command(pictures: Path, out: Path, workers: int, engine: str = "local") -> list[str]:
    """The command line of a batch."""
    line = [sys.executable, str(ROOT / "run.py"), "batch", "--images", str(pictures), "--out", str(out)]
    line += ["--model", "inflated", "--workers", str(workers), "--engine", engine, "--thumbnail", "0"]
    return [*line, *(word for value in SMALL for word in ("--set", value))]


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
                for path in out.glob("??/*.glb"):
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    if seen.setdefault(path.name, digest) != digest:
                        rewritten.add(path.name)
                if time.monotonic() - last_kill > args.kill_seconds:
                    last_kill = time.monotonic()
                    for pid in chance.sample(found, 1) if (found := _workers(out, process.pid)) else []:
                        os.kill(pid, signal.SIGKILL)
                        worker_kills += 1
                if thresholds and len(list(out.glob("??/*.json"))) >= thresholds[0]:
                    thresholds.pop(0)
                    driver_kills += 1
                    process.kill()
                    process.wait()
            if process.returncode != -signal.SIGKILL:
                break
        files = sorted(out.glob("??/*.glb"))
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


def _is_valid(path: Path) -> bool:
    import trimesh

    mesh = trimesh.load(path, force="mesh")
    return len(mesh.faces) > 50 and mesh.visual.uv is not None


if __name__ == "__main__":
    main()
