"""Rays of a step, traced by any number of workers into gradient grids whose bytes do not depend on that number.

Rays are dealt to `SLOTS` slots, each with a gradient grid of its own to which its rays add one after another; so the
order of every sum is fixed. Up to so many workers take a slot each. More of them work in two rounds: in the first, the
rays of a slot are traced in runs, by a worker each, which keeps what it found; in the second, the planes of a slot's
grid are filled in slabs, by a worker each, which goes through all rays of the slot in their order. Cells that reach
over the edge of a slab are added by both workers, whole, each in a grid of its own, of which only the slab counts: the
sums at a node are then those of the same instructions whatever the division.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import gcd

import numpy as np

from zero123pp.recon.ops.field import rays

SLOTS = 4
"""Gradient grids. Their number decides the order of sums and so the last bits of a result: fixed for all machines."""


def parts_of_slots(workers: int) -> int:
    """In how many runs the work of a slot is divided: as few as give all workers the same number of them."""
    return 1 if workers <= SLOTS else workers // gcd(workers, SLOTS)


def plane_runs(work: np.ndarray, first: int, last: int, count: int) -> list[tuple[int, int]]:
    """The planes first <= i < last in at most ``count`` runs of about the same work (n,), which is given by plane."""
    done = np.cumsum(work[first:last])
    cuts = first + np.searchsorted(done, done[-1] * np.arange(1, count) / count)
    edges = np.clip([first, *cuts, last], first, last)
    return [(int(a), int(b)) for a, b in pairwise(edges) if b > a]


@dataclass(frozen=True)
class Grids:
    """What rays go through, and where their gradients go. Distances are in voxels."""

    sdf: np.ndarray
    """(n, n, n) float32."""
    color: np.ndarray
    """(n, n, n, 3) float32."""
    gradient_sdf: np.ndarray
    """(S, SLOTS, n, n, n, 1) float32 for S slabs of planes, added to; memory is taken where it is written to."""
    gradient_color: np.ndarray
    """(S, SLOTS, n, n, n, 3) float32, likewise."""


class Tracer:
    """Traces batches of rays through grids that change between the batches."""

    def __init__(
        self, grids: Grids, table: np.ndarray, slabs: list[tuple[int, int]], pool: Executor, workers: int
    ) -> None:
        """Set up.

        Args:
            grids: of the level.
            table: (R, RAY_SIZE) rays.
            slabs: first and one past the last plane of each, without the faces of the grid.
            pool: runs the kernels.
            workers: how many jobs it runs at once.
        """
        self._grids, self._table, self._pool = grids, table, pool
        self._parts, self._found = parts_of_slots(workers), []
        self._slabs = [(0 if index == 0 else first, last) for index, (first, last) in enumerate(slabs)]

    def trace(self, chosen: np.ndarray, settings: np.ndarray) -> np.ndarray:
        """Add the gradients of the chosen rays (B,) and return the sums (LOSSES,) of their losses.

        ``settings`` (SETTINGS_SIZE,) are those of `zero123pp.recon.ops.field.rays`.
        """
        limit = rays.sample_limit(len(self._grids.sdf), float(settings[rays.STEP]))
        if self._parts == 1:
            losses = list(self._pool.map(partial(self._whole_slot, chosen, settings, limit), range(SLOTS)))
            return np.sum(losses, 0, dtype=np.float64)
        runs = [run for slot in range(SLOTS) for run in np.array_split(chosen[slot::SLOTS], self._parts)]
        if not self._found or not self._found[0].has_room(len(runs[0]), limit):
            self._found = [_Found.with_room(len(runs[0]) + 1, limit) for _ in runs]
        losses = list(self._pool.map(partial(self._found_by, settings, limit), runs, self._found))
        of_slots = [slice(slot * self._parts, (slot + 1) * self._parts) for slot in range(SLOTS)]
        jobs = [
            (slot, slab, runs[of], self._found[of]) for slot, of in enumerate(of_slots)
            for slab in range(len(self._slabs))
        ]  # fmt: skip
        losses += self._pool.map(partial(self._filled, settings), jobs)
        return np.sum(losses, 0, dtype=np.float64)

    def _whole_slot(self, chosen: np.ndarray, settings: np.ndarray, limit: int, slot: int) -> np.ndarray:
        grids, losses = self._grids, np.zeros(rays.LOSSES, np.float32)
        rays.ray_losses(
            grids.sdf.reshape(-1), grids.color.reshape(-1), len(grids.sdf), self._table, chosen, slot, SLOTS, settings,
            grids.gradient_sdf[0, slot].reshape(-1), grids.gradient_color[0, slot].reshape(-1), losses, limit,
        )  # fmt: skip
        return losses

    def _found_by(self, settings: np.ndarray, limit: int, rows: np.ndarray, found: "_Found") -> np.ndarray:
        grids, losses = self._grids, np.zeros(rays.LOSSES, np.float32)
        rays.trace_rays(
            grids.sdf.reshape(-1), grids.color.reshape(-1), len(grids.sdf), self._table, rows, settings,
            found.samples, found.sections, found.ends, found.extents, found.tints, losses, limit,
        )  # fmt: skip
        return losses

    def _filled(self, settings: np.ndarray, job: tuple) -> np.ndarray:
        slot, slab, runs, everything = job
        grids, losses = self._grids, np.zeros(rays.LOSSES, np.float32)
        for rows, found in zip(runs, everything):
            rays.scatter_rays(
                grids.sdf.reshape(-1), len(grids.sdf), self._table, rows, settings, found.samples, found.sections,
                found.ends, found.extents, found.tints, *self._slabs[slab],
                grids.gradient_sdf[slab, slot].reshape(-1), grids.gradient_color[slab, slot].reshape(-1), losses,
            )  # fmt: skip
        return losses


@dataclass(frozen=True)
class _Found:
    """What a worker has found along its rays, one after another; see `rays.trace_rays`."""

    samples: np.ndarray
    sections: np.ndarray
    ends: np.ndarray
    extents: np.ndarray
    tints: np.ndarray

    @classmethod
    def with_room(cls, count: int, limit: int) -> "_Found":
        """Room for ``count`` rays of at most ``limit`` samples; memory is taken where it is written to."""
        rooms = count * limit
        return cls(
            np.empty((rooms, rays.SAMPLE_SIZE), np.float32), np.empty((rooms, rays.SECTION_SIZE), np.float32),
            np.empty(rooms, np.int32), np.empty((count + 1, 2), np.int64), np.empty((count, 3), np.float32),
        )  # fmt: skip

    def has_room(self, count: int, limit: int) -> bool:
        """Whether ``count`` rays of at most ``limit`` samples fit."""
        return len(self.tints) >= count and len(self.ends) >= count * limit
