"""Where the seconds of a reconstruction go, and how far the ray kernel is from what the processor can do.

    python benchmarks/profile_fit.py --mesh FILE

writes benchmarks/results/NAME.md and NAME.json. Stages are timed in processor seconds of the whole process. Work of
the kernel is counted exactly (rays, samples, sections) by marching the same rays once more, and turned into
operations and bytes by the table `COSTS`, which was read off the kernel's source. Limits are measured in the same run.
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

import limits
import numba
import numpy as np

from zero123pp.pipelines.eval_report import machine, results_folder
from zero123pp.pipelines.ground_truth import ground_truth_views, load_normalised
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import ReconstructionConfig, reconstruct
from zero123pp.recon import hull, solver, targets
from zero123pp.recon.ops.field import rays

COSTS = {
    # event: (floating-point operations, bytes loaded and stored)
    "ray": (60, 72 + 12),  # losses of the pixel; its row of the table, its index
    "sample": (72, 32 + 20),  # position, cell, 7 lerps, exponential (taken for 20), step; 8 corners, a row of samples
    "section": (20, 24 + 24),  # weight, pull and derivative; written by the march, read back
    "shaded": (150, 96 + 192),  # colour of 3 channels and its gradient at 8 corners: 24 loads, 24 read-add-writes
    "pulled": (36, 64 + 20),  # gradient of a distance at 8 corners: 8 read-add-writes, a row of samples
}
"""What a ray, a sample of the march, a section that takes light, a section with colour and a sample with a gradient
cost. Each lerp is 3 operations, minima and conversions count as one."""

NODE_BYTES = 128 + 16 + 4 * 28 + 60
"""Of an active node and step: 4 parts of 4 gradients summed and cleared, their sum written, Adam on 4 values (gradient
read, two moments and the value read and written), Laplacian, fluxes and blur."""


def main() -> None:
    """Profile one object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mesh", required=True, metavar="FILE")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results"), metavar="FOLDER")
    parser.add_argument("--name", default="profile_fit", metavar="NAME")
    parser.add_argument("--instructions", action="store_true", help="count instructions with callgrind; takes a minute")
    args = parser.parse_args()
    folder = results_folder(args.out)
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


class Recorder:
    """Keeps, of every so many steps, what the kernel was given, so that its work can be counted afterwards."""

    def __init__(self, every: int = 10) -> None:
        self.steps: list[tuple] = []
        self.rays = self.node_steps = 0
        self._every, self._calls = every, 0

    def watch(self, trace):
        """`Solver._trace` that also records."""

        def watching(owner, chosen, settings):
            self.rays += len(chosen)
            self.node_steps += int((owner._end - owner._begin).sum())
            if self._calls % self._every == 0:
                self.steps.append((owner.sdf.copy(), owner._table, chosen.copy(), settings.copy()))
                self.color = owner.color.copy()  # of the last one
            self._calls += 1
            return trace(owner, chosen, settings)

        return watching


def profiled(views, instructions: bool) -> dict:
    """Seconds by stage, the kernel's work, and the processor's limits."""
    clock, recorder, stages = Clock(), Recorder(), Stages()
    patches = [
        (hull.Silhouettes, "__init__", "outline distances"), (hull.Silhouettes, "grid", "hull grids"),
        (targets, "ray_table", "ray tables"), (targets, "seen_colors", "first colours"),
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


def instruction_count(recorder: Recorder) -> dict:
    """Instructions per ray of the last recorded step, and the rate at which the kernel does those rays."""
    import count_instructions

    if not count_instructions.available():
        raise SystemExit("valgrind with callgrind is not installed; leave --instructions out")
    sdf, table, chosen, settings = recorder.steps[-1]
    gradients = np.zeros(sdf.size, np.float32), np.zeros(3 * sdf.size, np.float32), np.zeros(rays.LOSSES, np.float32)
    limit = rays.sample_limit(len(sdf), float(settings[rays.STEP]))
    seconds = limits.best(lambda: rays.ray_losses(
        sdf.reshape(-1), recorder.color.reshape(-1), len(sdf), table, chosen, 0, 1, settings, *gradients, limit
    ))  # fmt: skip
    _, counts = _count(sdf.reshape(-1), len(sdf), table, chosen, settings, limit)
    return {
        "per_ray": count_instructions.per_ray(sdf, recorder.color, table, chosen, settings),
        "samples_per_ray": counts[1] / counts[0],
        "rays_per_s": len(chosen) / seconds,
        "cycles_per_s": limits.cycles_per_s(),
    }


def kernel_work(recorder: Recorder, kernel_seconds: float, node_seconds: float) -> dict:
    """Events of the kernel over the fit, extrapolated from the recorded steps, and rates beside the limits."""
    counted, recorded_rays, points = np.zeros(5), 0, []
    for sdf, table, chosen, settings in recorder.steps:
        at, counts = _count(sdf.reshape(-1), len(sdf), table, chosen, settings,
                            rays.sample_limit(len(sdf), float(settings[rays.STEP])))  # fmt: skip
        counted += counts
        recorded_rays += len(chosen)
        points.append((sdf, at))
    events = dict(zip(COSTS, (counted * recorder.rays / recorded_rays).tolist()))
    flops = sum(count * COSTS[name][0] for name, count in events.items())
    moved = sum(count * COSTS[name][1] for name, count in events.items())
    last_sdf, last_points = points[-1]
    return {
        "events": events,
        "kernel": {"cpu_s": kernel_seconds, "flops": flops, "bytes": moved},
        "nodes": {"cpu_s": node_seconds, "bytes": float(recorder.node_steps * NODE_BYTES)},
        "limits": {
            "stream_bytes_per_s": limits.stream_bytes_per_s(),
            "peak_flops_per_s": limits.peak_flops_per_s(),
            "interpolations_per_s": limits.interpolations_per_s(last_sdf, last_points, chained=False),
            "chained_interpolations_per_s": limits.interpolations_per_s(last_sdf, last_points, chained=True),
        },
        # The bare march (no losses, no gradients) over the recorded rays of the finest level.
        "march_samples_per_s": march_rate(recorder.steps[-1]),
    }


def march_rate(step: tuple) -> float:
    """Samples per processor second of the kernel's march alone."""
    sdf, table, chosen, settings = step
    limit = rays.sample_limit(len(sdf), float(settings[rays.STEP]))
    flat = sdf.reshape(-1)
    _, counts = _count(flat, len(sdf), table, chosen, settings, limit)
    return counts[1] / limits.best(lambda: _march_all(flat, len(sdf), table, chosen, settings, limit))


@numba.njit(nogil=True, fastmath=True)
def _march_all(sdf, n, table, chosen, settings, limit):
    samples = np.empty((limit, rays._SAMPLE_SIZE), sdf.dtype)
    sections = np.empty((limit, rays._SECTION_SIZE), sdf.dtype)
    ends = np.empty(limit, np.int32)
    total = 0
    for index in range(len(chosen)):
        count, _, _ = rays._march(sdf, n, table, chosen[index], settings, samples, sections, ends)
        total += count
    return total


@numba.njit(nogil=True)
def _count(sdf, n, table, chosen, settings, limit):
    """Positions of all samples, and the numbers of rays, samples, sections, sections with colour, pulled samples."""
    samples = np.empty((limit, rays._SAMPLE_SIZE), sdf.dtype)
    sections = np.empty((limit, rays._SECTION_SIZE), sdf.dtype)
    ends = np.empty(limit, np.int32)
    counts = np.zeros(5)
    points = np.empty((len(chosen) * 64, 3), np.float32)
    kept = 0
    for index in range(len(chosen)):
        count, section_count, _ = rays._march(sdf, n, table, chosen[index], settings, samples, sections, ends)
        counts[0] += 1
        counts[1] += count
        counts[2] += section_count
        last = -1
        for s in range(section_count):
            if sections[s, rays._LIGHT] * (1 - sections[s, rays._PASSES]) >= rays.LEAST_WEIGHT:
                counts[3] += 1
            counts[4] += 1 if ends[s] - 1 == last else 2  # the two ends of a section; neighbours share one
            last = ends[s]
        for i in range(count):
            if kept < len(points):
                points[kept, 0], points[kept, 1], points[kept, 2] = samples[i, 0], samples[i, 1], samples[i, 2]
                kept += 1
    return points[:kept], counts


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
