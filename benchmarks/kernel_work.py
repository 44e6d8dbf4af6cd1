"""The work of the ray kernel over a fit: counted exactly, and set against the processor's limits."""

import limits
import numba
import numpy as np

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
cost, read off the kernel's source. Each lerp is 3 operations, minima and conversions count as one."""

NODE_BYTES = 128 + 16 + 4 * 28 + 60
"""Of an active node and step: 4 parts of 4 gradients summed and cleared, their sum written, Adam on 4 values (gradient
read, two moments and the value read and written), Laplacian, fluxes and blur."""


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
