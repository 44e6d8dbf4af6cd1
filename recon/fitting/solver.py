"""One level of the fit: grids, gradients and optimiser state, advanced step by step on a pool of threads."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from zero123pp.recon.fitting.tracing import SLOTS, Grids, Tracer, parts_of_slots, plane_runs
from zero123pp.recon.ops.field import nodes, rays

BETA1, BETA2 = 0.9, 0.95

BAND = 3.0
"""Voxels from the surface within which the field is kept smooth and a distance."""


@dataclass(frozen=True)
class Weights:
    """Weights of the losses, which are means over rays or over the nodes near the surface."""

    rgb: float
    rgb_scale: float
    mask: float
    normal: float
    laplacian: float
    eikonal: float


class Solver:
    """Signed distances and colours on n^3 nodes, and everything needed to improve them. Lengths are in voxels."""

    def __init__(
        self, sdf: np.ndarray, color: np.ndarray, floor: np.ndarray, table: np.ndarray, reach: float, pool: Executor,
        workers: int = SLOTS,
    ) -> None:  # fmt: skip
        """Set up a level.

        Args:
            sdf: (n, n, n) start.
            color: (n, n, n, 3) start.
            floor: (n, n, n) the least distance allowed at each node.
            table: (R, RAY_SIZE) rays, see `zero123pp.recon.ops.field.rays`.
            reach: nodes whose floor is below this are optimised, the others keep their start.
            pool: runs the kernels.
            workers: how many jobs the pool runs at once. The result does not depend on it.
        """
        n = len(sdf)
        self.sdf, self.color = np.array(sdf, np.float32), np.array(color, np.float32)
        self.losses: dict[str, float] = {}
        self._floor, self._table, self._pool = floor.astype(np.float32), table.copy(), pool
        self._begin, self._end = active_range(self._floor < reach)
        work = (self._end - self._begin).sum(1) + 1
        slabs = plane_runs(work, 1, n - 1, parts_of_slots(workers))
        self._planes = [(slab, *run) for slab, ends in enumerate(slabs) for run in plane_runs(work, *ends, SLOTS)]
        grid = (n, n, n, 1)
        self._parts_sdf = np.zeros((len(slabs), SLOTS, *grid), np.float32)
        self._parts_color = np.zeros((len(slabs), SLOTS, n, n, n, 3), np.float32)
        grids = Grids(self.sdf, self.color, self._parts_sdf, self._parts_color)
        self._tracer = Tracer(grids, self._table, slabs, pool, workers)
        self._gradient, self._gradient_color = np.zeros(grid, np.float32), np.zeros((n, n, n, 3), np.float32)
        self._moments = [np.zeros((n, n, n), np.float32) for _ in range(2)]
        self._moments_color = [np.zeros((n, n, n, 3), np.float32) for _ in range(2)]
        self._laplacian, self._flux = np.zeros((n, n, n), np.float32), np.zeros((3, n, n, n), np.float32)
        self._scratch = np.zeros((n, n, n), np.float32)
        self._node_losses = np.zeros((n, nodes.NODE_LOSSES))
        self._steps = 0

    @property
    def ray_count(self) -> int:
        """Rows of the ray table."""
        return len(self._table)

    def aim_at(self, normals: np.ndarray, weights: np.ndarray) -> None:
        """Take other normals (R, 3), in world axes, and weights (R,) of theirs for the rays of the table."""
        self._table[:, rays.NORMAL : rays.NORMAL + 3] = normals
        self._table[:, rays.NORMAL_WEIGHT] = weights

    def move_to(self, sdf: np.ndarray) -> None:
        """Take other distances (n, n, n), where they are allowed."""
        np.maximum(sdf, self._floor, out=self.sdf)

    def step(
        self, chosen: np.ndarray, sharpness: float, march: tuple[float, float, float], weights: Weights,
        lr_sdf: float, lr_color: float,
    ) -> None:  # fmt: skip
        """One step of Adam on the chosen rays.

        Args:
            chosen: (B,) int32 rows of the ray table.
            sharpness: s of NeuS, 1/voxel.
            march: step near the surface, share of free space skipped, longest skip.
            weights: of the losses.
            lr_sdf: learning rate of distances, voxels.
            lr_color: learning rate of colours.
        """
        self._steps += 1
        settings = np.zeros(rays.SETTINGS_SIZE, np.float32)
        settings[rays.SHARPNESS] = sharpness
        settings[[rays.STEP, rays.SKIP_SHARE, rays.SKIP_MAX]] = march
        settings[[rays.W_RGB, rays.W_MASK, rays.W_NORMAL]] = np.divide(
            (weights.rgb, weights.mask, weights.normal), len(chosen)
        )
        settings[rays.RGB_SCALE] = weights.rgb_scale
        ray_losses = self._trace(chosen, settings)
        self._update(weights, lr_sdf, lr_color)
        count = max(self._node_losses[:, nodes.NEAR_SURFACE].sum(), 1)
        self.losses = {
            "rgb": ray_losses[rays.LOSS_RGB],
            "mask": ray_losses[rays.LOSS_MASK],
            "normal": ray_losses[rays.LOSS_NORMAL],
            "laplacian": weights.laplacian * self._node_losses[:, nodes.LOSS_LAPLACIAN].sum() / count,
            "eikonal": weights.eikonal * self._node_losses[:, nodes.LOSS_EIKONAL].sum() / count,
        }

    def _trace(self, chosen: np.ndarray, settings: np.ndarray) -> np.ndarray:
        return self._tracer.trace(chosen, settings)

    def _update(self, weights: Weights, lr_sdf: float, lr_color: float) -> None:
        begin, end = self._begin, self._end
        adam_sdf, adam_color = self._adam(lr_sdf), self._adam(lr_color)
        gradient = self._gradient[..., 0]

        def gather(run: tuple[int, int, int]) -> None:
            slab, *planes = run
            nodes.collect(*planes, begin, end, self._parts_sdf[slab], self._gradient)
            nodes.collect(*planes, begin, end, self._parts_color[slab], self._gradient_color)
            nodes.step_color(*planes, begin, end, self._gradient_color, adam_color, *self._moments_color, self.color)
            nodes.measure(
                *planes, begin, end, np.float32(BAND), self.sdf, self._laplacian, self._flux, self._node_losses
            )

        def smooth(run: tuple[int, int, int]) -> None:
            _, *planes = run
            nodes.regularise(
                *planes, begin, end, self._laplacian, self._flux, np.float32(weights.laplacian / count),
                np.float32(weights.eikonal / count), gradient,
            )  # fmt: skip
            nodes.blur_plane(*planes, begin, end, gradient, self._scratch)

        def move(run: tuple[int, int, int]) -> None:
            _, *planes = run
            nodes.step_sdf(
                *planes, begin, end, gradient, self._scratch, adam_sdf, *self._moments, self._floor, self.sdf
            )

        list(self._pool.map(gather, self._planes))
        count = max(self._node_losses[:, nodes.NEAR_SURFACE].sum(), 1)
        list(self._pool.map(smooth, self._planes))
        list(self._pool.map(move, self._planes))

    def _adam(self, rate: float) -> np.ndarray:
        values = np.zeros(nodes.ADAM_SIZE, np.float32)
        values[[nodes.RATE, nodes.BETA1, nodes.BETA2]] = rate, BETA1, BETA2
        values[nodes.CORRECTION1] = 1 / (1 - BETA1**self._steps)
        values[nodes.CORRECTION2] = 1 / (1 - BETA2**self._steps)
        return values


def active_range(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last active node (n, n) of every column of ``active`` (n, n, n), faces left out."""
    inner = np.zeros_like(active)
    inner[1:-1, 1:-1, 1:-1] = active[1:-1, 1:-1, 1:-1]
    some = inner.any(-1)
    begin = np.where(some, inner.argmax(-1), 0).astype(np.int32)
    end = np.where(some, inner.shape[-1] - inner[..., ::-1].argmax(-1), 0).astype(np.int32)
    return begin, end
