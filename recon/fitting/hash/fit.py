"""Fits a hash-grid field to the rays of posed views."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zero123pp.recon.fitting.hash.config import HashConfig
from zero123pp.recon.fitting.hash.field import POINTS_AT_ONCE, HashField, base_channels
from zero123pp.recon.fitting.hash.losses import Samples, ray_losses, shape_losses
from zero123pp.recon.fitting.hash.space import Space, surface_states
from zero123pp.recon.ops import device_of
from zero123pp.recon.ops.encoding import HashLayout
from zero123pp.recon.ops.encoding import choose as choose_encoding
from zero123pp.recon.ops.field import rays as column
from zero123pp.recon.ops.rays import choose as choose_marcher

_REGULARISED = 2048
"""Points a step at which the shape losses are taken."""
_APART = 0.5
"""Voxels between the points whose slopes are compared."""
_SHARPEST = 12.0
"""Largest sharpness, 1/voxel."""


@dataclass(frozen=True)
class Start:
    """Where a fit begins, on n^3 nodes; lengths in voxels."""

    sdf: np.ndarray
    """(n, n, n) float32."""
    color: np.ndarray
    """(n, n, n, 3) float32, sRGB."""
    floor: np.ndarray
    """(n, n, n) float32, the least distance allowed."""
    rays: np.ndarray
    """(R, RAY_SIZE) float32, see `zero123pp.recon.ops.field.rays`."""
    reach: float = np.inf
    """How far the surface may lie from where ``sdf`` has it; farther nodes keep their values."""


def fit_hash(
    start: Start,
    config: HashConfig,
    weights: dict[str, float],
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Distances (n, n, n) in voxels and colours (n, n, n, 3) at the nodes of ``start``, better than those it has.

    The third result names the back-ends that were used.

    Args:
        start: of the fit.
        config: see `HashConfig`.
        weights: of the rays' losses: "rgb", "rgb_scale", "mask", "normal".
        seed: of the weights and of the choice of rays.
        progress: called with the fraction done.

    Raises:
        MissingBackend: a back-end that was asked for cannot be used here.
    """
    fitter = Fitter(start, config, weights, seed=seed)
    for index in range(config.steps):
        fitter.step()
        if progress:
            progress((index + 1) / config.steps)
    used = f"hash (encoding {fitter.encoding}, rays {fitter.marcher}, on {fitter.device})"
    return *fitter.nodes(), used


class Fitter:
    """A hash field, its optimiser, and the rays it is fitted to."""

    def __init__(self, start: Start, config: HashConfig, weights: dict[str, float], *, seed: int = 0) -> None:
        """See `fit_hash`."""
        self.config, self._weights, self.steps = config, weights, 0
        self.losses: dict[str, Tensor] = {}
        self.device = device_of(config.device)
        self.encoding, encoding = choose_encoding(config.encoding, str(self.device))
        self.marcher, self._march = choose_marcher(config.rays_backend, str(self.device))
        self._random = torch.Generator(device=self.device).manual_seed(seed)
        self._reach = start.reach
        self._rays = torch.from_numpy(start.rays).to(self.device)
        base = base_channels(
            *(torch.from_numpy(np.ascontiguousarray(a)) for a in (start.sdf, start.floor, start.color))
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.field = HashField(base, layout_of(config), encoding, hidden=config.hidden).to(self.device)
        self.log_sharpness = torch.tensor(config.sharpness, device=self.device).log().requires_grad_()
        self._optimizer = _optimizer(self.field, self.log_sharpness, config)
        self._order = torch.empty(0, dtype=torch.int64, device=self.device)
        self._space: Space | None = None

    def step(self) -> None:
        """One step of the optimiser."""
        config, done = self.config, self.steps / self.config.steps
        self.field.active = _active_levels(config, done)
        if self._space is None or self.steps % config.refresh == 0:
            sharpness = float(self.log_sharpness.detach().exp())
            self._space = surface_states(self.field, sharpness, self._reach)
        rays = self._rays[self._next_rays()]
        losses = ray_losses(self.field, rays, self._samples(rays), self.log_sharpness.exp(), self._weights, self._march)
        shape = self._shape_losses()
        for name in shape:
            losses[name] = getattr(config, f"weight_{name}") * shape[name]
        self._optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        fall = 0.1**done
        for group in self._optimizer.param_groups:
            group["lr"] = group["full_rate"] * fall * min(1, (self.steps + 1) / 10)
        self._optimizer.step()
        with torch.no_grad():
            self.log_sharpness.clamp_(max=float(np.log(_SHARPEST)))
        self.steps += 1
        self.losses = {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances (n, n, n) and colours (n, n, n, 3) at the nodes."""
        n = self.field.top + 1
        near, sdf, color = self.field.nodes_within(self._reach)
        for rows in near.split(POINTS_AT_ONCE):
            points = torch.stack([rows // n**2, rows // n % n, rows % n], 1).float()
            sdf[rows] = self.field.distance(points)
            color[rows] = self.field.surface(points)[2]
        color.clamp_(0, 1)
        return sdf.reshape(n, n, n).cpu().numpy(), color.reshape(n, n, n, 3).cpu().numpy()

    def _next_rays(self) -> Tensor:
        """Rows of the next batch: every ray comes once before any comes again."""
        count = min(self.config.rays, len(self._rays))
        if len(self._order) < count:
            self._order = torch.randperm(len(self._rays), generator=self._random, device=self.device)
        batch, self._order = self._order[:count].sort().values, self._order[count:]
        return batch

    def _samples(self, rays: Tensor) -> Samples:
        top = self.field.top
        origins = rays[:, column.ORIGIN : column.ORIGIN + 3] / top
        directions = rays[:, column.DIRECTION : column.DIRECTION + 3]
        offset = torch.rand(len(rays), generator=self._random, device=self.device)
        ray, distance = self._march.march(
            origins, directions, rays[:, column.NEAR] / top, rays[:, column.FAR] / top, self._space.state,
            self.config.sample_step / top, offset,
        )  # fmt: skip
        points = (origins[ray] + distance[:, None] * directions[ray]).clamp(0, 1) * top
        return Samples(ray, points)

    def _shape_losses(self) -> dict[str, Tensor]:
        near = self._space.near
        if not len(near):
            return {}
        chosen = torch.randint(len(near), (_REGULARISED,), generator=self._random, device=self.device)
        shape = (_REGULARISED, 3)
        jitter = torch.rand(shape, generator=self._random, device=self.device) - 0.5
        apart = torch.randn(shape, generator=self._random, device=self.device) * _APART
        points = (near[chosen] + jitter * self._space.cell).clamp(0, self.field.top)
        return shape_losses(self.field, points, (points + apart).clamp(0, self.field.top) - points)


def layout_of(config: HashConfig) -> HashLayout:
    """The encoding that a config asks for."""
    growth = (config.finest / config.base) ** (1 / max(config.levels - 1, 1))
    return HashLayout(config.levels, config.features, config.log2_entries, config.base, growth)


def _active_levels(config: HashConfig, done: float) -> int:
    """Levels in use when a share of the steps is done."""
    joining = config.levels - config.first_levels
    return min(config.first_levels + int(joining * done / 0.5 + 1e-9), config.levels) if joining > 0 else config.levels


def _optimizer(field: HashField, log_sharpness: Tensor, config: HashConfig) -> torch.optim.Optimizer:
    perceptrons = [value for name, value in field.named_parameters() if name != "table"]
    groups = [
        {"params": [field.table, *perceptrons], "full_rate": config.lr},
        {"params": [log_sharpness], "full_rate": config.lr_sharpness},
    ]
    return torch.optim.Adam(groups, lr=config.lr, betas=(0.9, 0.99), eps=1e-15, fused=True)
