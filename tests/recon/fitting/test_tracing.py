"""How the rays of a step are divided among workers."""

from collections import Counter
from importlib import import_module

import pytest
from balls import ball_views

from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.ops.field import rays

fit_module = import_module("zero123pp.recon.fitting.fit")

_X, _GRADIENT = 0, 4
"""Columns of a sample: where it is, voxels; 0 where it adds nothing."""


class Counted:
    """The kernels of the fit, which run as always; counts what each job of a step has to do."""

    def __init__(self, patched):
        self.traced, self.added, self.owned = [], [], []  # lists: workers append at the same time
        self._whole, self._trace, self._scatter = rays.ray_losses, rays.trace_rays, rays.scatter_rays
        patched.setattr(rays, "ray_losses", self.whole)
        patched.setattr(rays, "trace_rays", self.trace)
        patched.setattr(rays, "scatter_rays", self.scatter)

    def whole(self, sdf, color, n, table, chosen, first, stride, *rest):
        self.traced.append(len(chosen[first::stride]))
        self._whole(sdf, color, n, table, chosen, first, stride, *rest)

    def trace(self, sdf, color, n, table, rows, *rest):
        self.traced.append(len(rows))
        self._trace(sdf, color, n, table, rows, *rest)

    def scatter(
        self, sdf, n, table, rows, settings, samples, sections, ends, extents, tints, first, last, gradient, *rest
    ):  # fmt: skip
        found = samples[: extents[len(rows), 0]]
        plane = found[found[:, _GRADIENT] != 0, _X].astype(int)
        grid = gradient.__array_interface__["data"][0]
        self.added.append((grid, int(((plane >= first - 1) & (plane < last)).sum())))  # with those on the edge
        self.owned.append(int(((plane >= first) & (plane < last)).sum()))
        self._scatter(
            sdf, n, table, rows, settings, samples, sections, ends, extents, tints, first, last, gradient, *rest
        )  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 4, 6, 8, 16])
def test_the_largest_share_of_a_worker_falls_as_workers_are_added(workers, monkeypatch):
    views = ball_views(size=96)
    with monkeypatch.context() as patched:
        counted = Counted(patched)
        patched.setattr(fit_module, "processors", lambda: range(workers))
        fit(views, FitConfig(levels=(48,), steps=1, vessel_wall=0))
    traced, by_grid = counted.traced, Counter()
    for grid, samples in counted.added:
        by_grid[grid] += samples
    added = by_grid.values()
    assert len(traced) == 4 if workers <= 4 else len(traced) % workers == 0  # every worker has the same number of jobs
    assert max(traced) / sum(traced) < 1.1 / max(workers, 4)
    if workers > 4:
        assert len(added) == len(traced) and max(added) / sum(added) < 1.6 / workers


def test_every_ray_is_traced_once_and_every_sample_is_added(monkeypatch):
    """Whatever the division: the same number of each."""
    found = {}
    for workers in (5, 8, 16):
        with monkeypatch.context() as patched:
            counted = Counted(patched)
            patched.setattr(fit_module, "processors", lambda workers=workers: range(workers))
            fit(ball_views(size=48), FitConfig(levels=(24,), steps=1, vessel_wall=0))
        found[workers] = sum(counted.traced), sum(counted.owned)
    assert len(set(found.values())) == 1
