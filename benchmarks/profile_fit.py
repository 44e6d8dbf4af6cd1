"""Where the seconds of a reconstruction go, and how far the ray kernel is from what the processor can do.

    python benchmarks/profile_fit.py --mesh FILE

writes benchmarks/results/NAME.md and NAME.json. Stages are timed in processor seconds of the whole process. Work of
the kernel is counted exactly (rays, samples, sections) by marching the same rays once more, and turned into
operations and bytes by the table `COSTS` of `kernel_work.py`. Limits are measured in the same run.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kernel_work import COSTS, Recorder, instruction_count, kernel_work

from zero123pp.files import make_folder
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.report import machine
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import ReconstructionConfig, reconstruct
from zero123pp.recon.fitting import first_colors, hull, solver, targets
from zero123pp.recon.meshing.parts import load_normalised
from zero123pp.recon.ops.field import rays


def main() -> None:
    """Profile one object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mesh", required=True, metavar="FILE")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results"), metavar="FOLDER")
    parser.add_argument("--name", default="profile_fit", metavar="NAME")
    parser.add_argument("--instructions", action="store_true", help="count instructions with callgrind; takes a minute")
    args = parser.parse_args()
    folder = make_folder(args.out)
    views = ground_truth_views(load_normalised(args.mesh))
    reconstruct(views)  # compile
    profile = profiled(views, args.instructions)
    result = {
        "command": f"python benchmarks/profile_fit.py --mesh {Path(args.mesh).name}"
        + (" --instructions" if args.instructions else ""),
        "machine": machine(),
        **profile,
    }
    (folder / f"{args.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    page = to_markdown(result)
    (folder / f"{args.name}.md").write_text(page)
    print(page)


class Clock:
    """Processor seconds by name, of calls that do not overlap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def around(self, name, function):
        """``function`` with its processor seconds added to ``name``."""

        def timed(*args, **kwargs):
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.process_time() - start

        return timed


def profiled(views, instructions: bool) -> dict:
    """Seconds by stage, the kernel's work, and the processor's limits."""
    clock, recorder, stages = Clock(), Recorder(), Stages()
    patches = [
        (hull.Silhouettes, "__init__", "outline distances"), (hull.Silhouettes, "grid", "hull grids"),
        (targets, "ray_table", "ray tables"), (first_colors, "seen_colors", "first colours"),
        (rays, "clip_to_hull", "rays clipped to the hull"), (solver.Solver, "_update", "nodes: smoothing and Adam"),
    ]  # fmt: skip
    with ExitStack() as stack:
        for owner, attribute, name in patches:
            stack.enter_context(mock.patch.object(owner, attribute, clock.around(name, getattr(owner, attribute))))
        watched = clock.around("ray kernel", solver.Solver._trace)
        stack.enter_context(mock.patch.object(solver.Solver, "_trace", recorder.watch(watched)))
        reconstruct(views, ReconstructionConfig(), stages=stages)
    inside = dict(clock.seconds)
    parts = inside | {"fit: rest": stages.cpu_seconds["fit"] - sum(inside.values())}
    parts |= {"mesh: marching cubes, cleaning": stages.cpu_seconds["mesh"], "texture": stages.cpu_seconds["texture"]}
    work = kernel_work(recorder, inside["ray kernel"], inside["nodes: smoothing and Adam"])
    if instructions:
        work["instructions"] = instruction_count(recorder)
    return {"stages": parts, **work}


def to_markdown(result: dict) -> str:
    """The page."""
    stages = sorted(result["stages"].items(), key=lambda item: -item[1])
    total = sum(seconds for _, seconds in stages)
    return "\n".join([
        "# Where the seconds of a reconstruction go", "",
        f"- `{result['command']}`",
        f"- Machine: {result['machine']}. Other work ran beside it: processor seconds and ratios only.",
        "- Six true v1.2 views of 320 px, default settings, kernels compiled.", "",
        "| stage | CPU s | share |", "|---|--:|--:|",
        *(f"| {name} | {seconds:.2f} | {seconds / total:.0%} |" for name, seconds in stages),
        f"| **all** | {total:.2f} | |", "",
        "## The ray kernel against the processor", "",
        "| event | number | operations each | bytes each |", "|---|--:|--:|--:|",
        *(f"| {name} | {count:,.0f} | {COSTS[name][0]} | {COSTS[name][1]} |"
          for name, count in result["events"].items()), "",
        "| per processor second of one thread | reached | limit measured in this run | share |",
        "|---|--:|--:|--:|",
        *rates(result), "",
        *instruction_lines(result.get("instructions")),
        *reading(result["events"]),
    ]) + "\n"  # fmt: skip


def rates(result: dict) -> list[str]:
    """Rows of what is reached beside what can be."""
    kernel, nodes, limit = result["kernel"], result["nodes"], result["limits"]
    stream, bare = limit["stream_bytes_per_s"], limit["interpolations_per_s"]
    chained, march = limit["chained_interpolations_per_s"], result["march_samples_per_s"]
    seconds = kernel["cpu_s"]

    def row(what: str, reached: float, most: float, unit: float, name: str, of_what: str) -> str:
        return f"| {what} | {reached / unit:.2f} {name} | {most / unit:.1f} {name} ({of_what}) | {reached / most:.0%} |"

    alike = "bare interpolations at the same places"
    return [
        row("kernel: operations", kernel["flops"] / seconds, limit["peak_flops_per_s"], 1e9, "G",
            "vector multiply-adds on registers"),
        row("kernel: bytes, nearly all in caches", kernel["bytes"] / seconds, stream, 1e9, "GB", "triad from memory"),
        row("kernel: samples, forward and backward", result["events"]["sample"] / seconds, bare, 1e6, "M", alike),
        row("kernel's march alone, finest level: samples", march, bare, 1e6, "M", alike),
        row("the same", march, chained, 1e6, "M", "the same interpolations, each waiting for the one before"),
        row("node updates: bytes", nodes["bytes"] / nodes["cpu_s"], stream, 1e9, "GB", "triad from memory"),
    ]  # fmt: skip


def instruction_lines(counted: dict | None) -> list[str]:
    """What callgrind counted, as instructions a ray, a sample and a cycle."""
    if counted is None:
        return []
    rate = counted["per_ray"] * counted["rays_per_s"]
    return [
        f"Instructions (callgrind, one step of the finest level): {counted['per_ray']:.0f} a ray of "
        f"{counted['samples_per_ray']:.1f} samples, forward and backward, {rate / 1e9:.2f} G a second at "
        f"{counted['rays_per_s'] / 1e6:.2f} M rays a second on one thread. At the clock measured in this run "
        f"({counted['cycles_per_s'] / 1e9:.2f} GHz) that is {rate / counted['cycles_per_s']:.2f} instructions a cycle.",
        "",
    ]


def reading(events: dict) -> list[str]:
    """What the numbers say, in words that hold whatever they are."""
    per_ray, taking = events["sample"] / events["ray"], events["section"] / events["sample"]
    return [
        f"A ray takes {per_ray:.1f} samples; {taking:.0%} of them end a section that takes light, and "
        f"{events['shaded'] / events['sample']:.0%} one that gets a colour.",
        "The grids of the finest level are 1 MB (distances) and 3 MB (colours), so that gathers come from the caches, "
        "not from memory. The kernel is scalar: along a ray, eight loads at computed places, an exponential and the "
        "next step depend on one another, so that it waits (latency) more than it computes or loads. What it is held "
        "against is therefore the interpolation of the same samples, waiting for one another or not; the distance "
        "between these two is what marching several rays at once could gain. Operations and bytes are counted from the "
        "source (`COSTS`), not read from hardware counters, which virtual machines often do not have.",
    ]


if __name__ == "__main__":
    main()
