"""The fit with its ray kernel replaced by torch and automatic gradients: what the kernel is compared with.

Everything else (hull, ray tables, levels, smoothing, Adam) stays the project's own, so that only the step that
dominates a fit differs.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import torch

from zero123pp.recon.field import Field
from zero123pp.recon.fitting import solver as solver_module
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.ops.field import rays as kernel
from zero123pp.recon.ops.field import reference
from zero123pp.types import MultiView

_RAYS_AT_ONCE = 1000
_KernelSolver = solver_module.Solver


def fit_with(solver: type, views: MultiView, config: FitConfig, seed: int = 0) -> Field:
    """`fit` with another class of solver."""
    with mock.patch.object(solver_module, "Solver", solver):
        return fit(views, config, seed=seed)


class VectorisedSolver(_KernelSolver):
    """Losses of all rays at once with torch tensors: how one writes it when there is no kernel.

    Samples stand a step apart between the ends of a ray on the hull; nothing is skipped and no ray ends early, as
    that does not go with tensors. Normals are not supported.
    """

    def _trace(self, chosen: np.ndarray, settings: np.ndarray) -> np.ndarray:
        sdf, color = (torch.from_numpy(np.array(grid)).requires_grad_() for grid in (self.sdf, self.color))
        total = np.zeros(kernel.LOSSES)
        for part in np.array_split(chosen, max(round(len(chosen) / _RAYS_AT_ONCE), 1)):
            losses = batch_losses(sdf, color, torch.from_numpy(self._table[part]), settings)
            losses.sum().backward()
            total += losses.detach().numpy()
        self._parts_sdf[0, 0, ..., 0] += sdf.grad.numpy()
        self._parts_color[0, 0] += color.grad.numpy()
        return total


def batch_losses(sdf: torch.Tensor, color: torch.Tensor, rays: torch.Tensor, settings: np.ndarray) -> torch.Tensor:
    """Sums (LOSSES,) of the weighted losses of rays (R, RAY_SIZE), see `reference.ray_losses`."""
    step, sharpness = float(settings[kernel.STEP]), float(settings[kernel.SHARPNESS])
    near, far = rays[:, kernel.NEAR, None], rays[:, kernel.FAR, None]
    count = int(np.ceil(float((far - near).max()) / step)) + 1
    t = near + step * torch.arange(count)  # [R, S]
    valid = t <= far
    origin, direction = rays[:, None, kernel.ORIGIN : kernel.ORIGIN + 3], rays[:, None, kernel.DIRECTION :][..., :3]
    points = (origin + t[..., None] * direction).clamp(0, len(sdf) - 1)  # [R, S, 3]
    distance = torch.ones_like(t).masked_scatter(valid, reference.interpolate(sdf, points[valid]))
    cdf = torch.sigmoid((sharpness * distance).clamp(min=-60))  # keeps the quotient below finite deep inside
    alpha = ((cdf[:, :-1] - cdf[:, 1:]) / cdf[:, :-1]).clamp(min=0)
    alpha = torch.where(valid[:, 1:] & (alpha > kernel.LEAST_ALPHA), alpha, 0)  # [R, S - 1]
    light = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha], 1), 1)  # [R, S]
    weight = light[:, :-1] * alpha
    seen = weight >= kernel.LEAST_WEIGHT
    middle = (0.5 * (points[:, :-1] + points[:, 1:]))[seen]
    target = rays[:, None, kernel.COLOR : kernel.COLOR + 3].expand(-1, count - 1, -1)[seen]
    difference = (reference.interpolate(color, middle) - target) * weight[seen][:, None]
    residual = torch.zeros(len(rays), 3).index_add(0, seen.nonzero()[:, 0], difference)
    scale = float(settings[kernel.RGB_SCALE])
    charbonnier = 2 * scale**2 * (torch.sqrt(1 + (residual**2).sum(1) / scale**2) - 1)
    rgb = float(settings[kernel.W_RGB]) * rays[:, kernel.ALPHA] * charbonnier
    mask = float(settings[kernel.W_MASK]) * (1 - light[:, -1] - rays[:, kernel.ALPHA]) ** 2
    losses = torch.stack([rgb, mask, torch.zeros_like(mask)], 1) * rays[:, kernel.WEIGHT, None]
    return losses.sum(0)


@dataclass
class Comparison:
    """Kernel and readable reference on the same rays, by nodes along an axis."""

    kernel_seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    kernel_rays: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    reference_seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    reference_rays: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    worst_difference: float = 0.0
    """Largest distance between the two gradients of the distances, over the length of the reference's."""

    def extrapolated(self, whole_fit: float) -> float:
        """Processor seconds of a whole fit with the reference instead of the kernel."""
        reference_only = sum(
            self.reference_seconds[n] / self.reference_rays[n] * rays for n, rays in self.kernel_rays.items()
        )
        return whole_fit - sum(self.kernel_seconds.values()) + reference_only


def comparing_solver(comparison: Comparison, rays_at_once: int = 24, every: int = 35) -> type:
    """A solver that works as always, and on every so many steps also does a few rays with the readable reference."""

    class ComparingSolver(_KernelSolver):
        def _trace(self, chosen: np.ndarray, settings: np.ndarray) -> np.ndarray:
            n = len(self.sdf)
            if self._steps % every == every // 2:
                self._compare(chosen[:: max(len(chosen) // rays_at_once, 1)], settings, n)
            start = time.process_time()
            losses = super()._trace(chosen, settings)
            comparison.kernel_seconds[n] += time.process_time() - start
            comparison.kernel_rays[n] += len(chosen)
            return losses

        def _compare(self, chosen: np.ndarray, settings: np.ndarray, n: int) -> None:
            start = time.process_time()
            sdf, color = (torch.from_numpy(np.array(grid)).requires_grad_() for grid in (self.sdf, self.color))
            table = torch.from_numpy(self._table[chosen])
            reference.ray_losses(sdf, color, table, torch.from_numpy(settings)).sum().backward()
            comparison.reference_seconds[n] += time.process_time() - start
            comparison.reference_rays[n] += len(chosen)
            ours, ours_color = np.zeros(n**3, np.float32), np.zeros(3 * n**3, np.float32)
            kernel.ray_losses(
                self.sdf.reshape(-1), self.color.reshape(-1), n, self._table, chosen, 0, 1, settings, ours, ours_color,
                np.zeros(kernel.LOSSES, np.float32), kernel.sample_limit(n, float(settings[kernel.STEP])),
            )  # fmt: skip
            theirs = sdf.grad.numpy().reshape(-1)
            difference = float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-30))
            comparison.worst_difference = max(comparison.worst_difference, difference)

    return ComparingSolver
