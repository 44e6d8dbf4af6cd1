"""First run, warm run and resident calls of the command line and the library, against another commit.

    python benchmarks/first_and_warm.py --against COMMIT [--sheet SHEET.png] [--rounds 3] [--no-first]

writes benchmarks/results/first_and_warm.md. Both trees run in turn, in one go, so that the ratios hold on a machine
that does other work as well; seconds mean something on an idle one only. 'first' starts with an empty cache of kernels,
'whole' is the same command with a full one, and 'call 1' and 'call 2' are those of one `ImageTo3D` with the cache full.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
ROWS = ("first", "whole", "call 1", "call 2")

RESIDENT = """
import json, sys, time
from zero123pp import ImageTo3D
pipe, found = ImageTo3D.from_pretrained("preview"), []
for _ in range(2):
    wall, cpu = time.perf_counter(), time.process_time()
    pipe(**{sys.argv[1]: sys.argv[2]}).save(sys.argv[3])
    found.append((time.perf_counter() - wall, time.process_time() - cpu))
print(json.dumps(found))
"""


def main() -> None:
    """Run both trees in turn, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", required=True, metavar="COMMIT", help="what to compare with")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a sheet of views; without it only the picture")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each kind (default: 3)")
    parser.add_argument("--no-first", action="store_true", help="leave out the runs with an empty cache")
    args = parser.parse_args()
    inputs = {"image": ROOT / "docs" / "toy.png"} | ({} if args.sheet is None else {"views": args.sheet.resolve()})
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "other"
        git("worktree", "add", "--detach", str(other), args.against)
        try:
            trees = {"here": ROOT, "there": other}
            found = measured(trees, inputs, args.rounds, Path(folder), first=not args.no_first)
        finally:
            git("worktree", "remove", "--force", str(other))
    page = to_markdown(found, inputs, " ".join(["python benchmarks/first_and_warm.py", *sys.argv[1:]]))
    (Path(__file__).parent / "results" / "first_and_warm.md").write_text(page, "utf-8")
    sys.stdout.write(page)


def measured(trees: dict[str, Path], inputs: dict[str, Path], rounds: int, folder: Path, *, first: bool) -> dict:
    """(tree, kind of input, row) -> [(wall seconds, processor seconds) of each round]."""
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for kind, path in inputs.items():
        for index in range(rounds):
            for name, tree in trees.items():
                cache = folder / (f"{name}-{kind}-{index}" if first else f"{name}-{kind}")
                cold = None if cache.exists() else command(tree, kind, path, folder, cache)
                if first:
                    found.setdefault((name, kind, "first"), []).append(cold)
                found.setdefault((name, kind, "whole"), []).append(command(tree, kind, path, folder, cache))
                for row, cost in zip(("call 1", "call 2"), resident(tree, kind, path, folder, cache)):
                    found.setdefault((name, kind, row), []).append(tuple(cost))
    return found


def command(tree: Path, kind: str, path: Path, folder: Path, cache: Path) -> tuple[float, float]:
    """Wall and processor seconds of the command line, its helpers included."""
    model = ["--model", "preview"] if kind == "image" else ["--rig", "v1.2"]
    out = str(folder / "out.glb")
    before, start = os.times(), time.perf_counter()
    run([sys.executable, str(tree / "run.py"), f"--{kind}", str(path), "--out", out, *model], tree, cache)
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(getattr(after, each) - getattr(before, each) for each in ("children_user", "children_system"))


def resident(tree: Path, kind: str, path: Path, folder: Path, cache: Path) -> list[tuple[float, float]]:
    """Wall and processor seconds of two calls of one pipeline."""
    code = [sys.executable, "-c", RESIDENT, kind, str(path), str(folder / "out.glb")]
    return json.loads(run(code, tree, cache).splitlines()[-1])


def run(arguments: list[str], tree: Path, cache: Path) -> str:
    """What a process in the tree prints."""
    environment = os.environ | {"PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(arguments, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{tree}: {done.stderr.strip()}")
    return done.stdout


def git(*arguments: str) -> None:
    """Run git in this checkout."""
    subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)


def to_markdown(found: dict, inputs: dict[str, Path], command_line: str) -> str:
    """Medians of both trees and their ratios."""
    from zero123pp.pipelines.evaluation.report import machine

    lines = [
        "# First run, warm run, resident calls",
        "",
        f"`{command_line}`; {machine()}; load average {os.getloadavg()[1]:.1f} over the last five minutes.",
        "Medians: wall seconds, processor seconds, and the ratios here / there.",
        "",
        "| input | row | here: wall | processor | there: wall | processor | ratio: wall | processor |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, path in inputs.items():
        for row in ROWS:
            if ("here", kind, row) not in found:
                continue
            here, there = ([median(column) for column in zip(*found[tree, kind, row])] for tree in ("here", "there"))
            cells = [f"{value:.2f}" for value in (*here, *there, here[0] / there[0], here[1] / there[1])]
            lines.append(f"| {path.name} | {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
