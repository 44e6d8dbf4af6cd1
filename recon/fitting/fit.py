"""Posed views to a field: a dense grid of signed distances and colours, fitted by differentiable rendering.

NeuS on voxels: the visual hull is the start and the limit of the shape, rays through the pixels carve it until
colours, silhouettes and (where given) normals agree, coarse to fine.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.errors import ConfigError, MissingBackend, StageFailed
from zero123pp.recon.field import Field, resize_grid
from zero123pp.recon.fitting.hash.config import HashConfig
from zero123pp.types import MultiView, View

_PIXELS_PER_VOXEL = 2.5
"""Views are averaged down to this many pixels a voxel: finer detail than the grid can show only costs time."""
_MARGIN_PX = 2
"""Pixels beside a silhouette that are looked at as well, px of a level's pictures."""
_REACH = 2.5
"""Nodes less than this above the floor, in voxels, are optimised."""
_TYPICAL_SURFACE = 2.5
"""Surface of the visual hull over the square of its largest extent, above which levels are not refined."""
_SKIP_SHARE, _SKIP_MAX = 0.6, 4.0
"""Share of the free distance that is skipped (the grid is not an exact distance), and the longest skip in voxels."""


@dataclass(frozen=True)
class FitConfig:
    """How views become a field."""

    field: Literal["grid", "hash"] = "grid"
    """What is fitted: a dense grid, or a hash-grid field (finer detail; needs torch, meant for a GPU)."""
    hash: HashConfig = dataclasses.field(default_factory=HashConfig)
    """The hash-grid field's own settings."""
    levels: tuple[int, ...] = (32, 64)
    """Nodes along an axis of the grid, coarse to fine."""
    refinement: float = 1.0
    """Most that levels are refined, as a factor, for objects with little surface: for slender ones the same work buys
    smaller voxels."""
    steps: int = 140
    """Optimiser steps over all levels together."""
    rays: int = 4000
    """Rays of a step at 64 nodes; their number grows with the square of the nodes along an axis."""
    weight_rgb: float = 3.0
    """Weight of the colour residuals (sRGB, squared while small)."""
    rgb_scale: float = 0.3
    """Residual (sRGB) beyond which colour counts linearly: views of generated sheets disagree here and there."""
    weight_mask: float = 0.4
    """Weight of the squared difference between opacity and alpha."""
    weight_normal: float = 0.7
    """Weight of the squared difference between surface normals and those of the views, where views have normals."""
    weight_laplacian: float = 0.005
    """Weight of smoothness: squared Laplacian of the distances in voxels, per node near the surface."""
    weight_eikonal: float = 0.002
    """Weight of distances staying distances: squared deviation of their slope from 1, per node near the surface."""
    hull_tolerance_px: float = 3.0
    """How far the surface may leave the visual hull, px of a 320 px picture."""
    hull_outlier_views: int = 0
    """How many views may see a point outside their silhouette while it stays part of the hull."""
    lr_sdf: float = 0.25
    """Learning rate of distances at the first level, voxels; each further level takes 0.7 of it."""
    lr_color: float = 0.01
    """Learning rate of colours, sRGB."""
    sample_step: float = 0.7
    """Distance of samples near the surface, voxels."""
    sharpness: tuple[float, ...] = (4.0, 18.0)
    """Sharpness of the surface, 1/voxel, at the begin and end of every level."""
    radius: float = 0.0
    """Of the sphere round the origin that holds the object, world units; 0: as much as the pictures show (see
    `shown_radius`), since the size of the object is not promised by every rig."""

    def __post_init__(self) -> None:
        if not self.levels or any(n < 8 or n > 512 for n in self.levels) or list(self.levels) != sorted(self.levels):
            raise ConfigError(f"levels is {self.levels}; expected rising numbers from 8 to 512")
        for name in ("steps", "rays", "rgb_scale", "lr_sdf", "lr_color", "sample_step"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number above 0")
        for name in ("rgb", "mask", "normal", "laplacian", "eikonal"):
            if not 0 <= getattr(self, f"weight_{name}") < np.inf:
                raise ConfigError(
                    f"weight_{name} is {getattr(self, f'weight_{name}')}; expected a number of at least 0"
                )
        if not 0 <= self.hull_tolerance_px < np.inf:
            raise ConfigError(f"hull_tolerance_px is {self.hull_tolerance_px}; expected a number of at least 0")
        if not 0 <= self.radius < np.inf:
            raise ConfigError(f"radius is {self.radius}; expected a length above 0, or 0 for what the pictures show")
        if self.hull_outlier_views < 0:
            raise ConfigError(f"hull_outlier_views is {self.hull_outlier_views}; expected a number of at least 0")
        if len(self.sharpness) != 2 or not all(0.1 <= s <= 20 for s in self.sharpness):
            raise ConfigError(f"sharpness is {self.sharpness}; expected two numbers from 0.1 to 20")


def fit(
    views: MultiView,
    config: FitConfig = FitConfig(),
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Field:
    """Fit a field to posed views.

    Args:
        views: any number of pinhole views of one object, of any sizes; ``confidence`` scales a view's losses.
        config: see `FitConfig`.
        seed: of the choice of rays; the same seed gives the same bytes, whatever the number of threads.
        progress: called with the fraction done.

    Raises:
        StageFailed: a view shows no object, no view is trusted, or the silhouettes have no common volume.
    """
    from zero123pp.recon.fitting.hull import Silhouettes

    trusted = tuple(view for view in views.views if view.confidence > 0)
    if not trusted:
        raise StageFailed(f"none of {len(views)} views has a confidence above 0; there is nothing to fit to")
    report = progress or (lambda fraction: None)
    rng = np.random.default_rng(seed)
    hashed = config.field == "hash"
    levels = config.levels if not hashed or config.hash.start == "grid" else ()
    shares = _steps_of_levels(config)
    every = (config.steps if levels else 0) + (config.hash.steps if hashed else 0)
    done, carved, color = 0, None, None
    with ThreadPoolExecutor(_threads()) as pool:
        silhouettes = Silhouettes(trusted, pool)
        radius = config.radius or shown_radius(trusted)
        half_extent, finer = _frame(silhouettes, radius, config)
        for level, coarse in enumerate(levels):
            resolution = round(coarse * finer)
            voxel = 2 * half_extent / (resolution - 1)
            hull = (
                silhouettes.grid(resolution, half_extent, radius=radius, outlier_views=config.hull_outlier_views)
                / voxel
            )
            # What was carved off the coarse hull is carved off the fine one, which brings back its thin parts.
            start = hull if carved is None else hull + resize_grid(carved, resolution) / voxel
            solver = _solver(trusted, hull, start, color, half_extent, config, pool)
            draw = _batches(solver.ray_count, round(config.rays * (coarse / 64) ** 2), rng)
            for index in range(shares[level]):
                _advance(solver, next(draw), level, index / shares[level], config)
                done += 1
                report(done / every)
            carved, color = (solver.sdf - hull) * voxel, solver.color
        if not hashed:
            return Field(solver.sdf * voxel, solver.color, half_extent)
        hull = silhouettes.grid(
            config.hash.resolution, half_extent, radius=radius, outlier_views=config.hull_outlier_views
        )
    return _hashed(trusted, hull, carved, color, half_extent, config, seed, lambda part: report((done + part) / every))


def _hashed(
    views: tuple[View, ...], hull: np.ndarray, carved: np.ndarray | None, color: np.ndarray | None,
    half_extent: float, config: FitConfig, seed: int, report: Callable[[int], None],
) -> Field:  # fmt: skip
    """The hash-grid field that begins where the levels ended: hull and what they carved off it, in world units."""
    try:
        from zero123pp.recon.fitting.hash.fit import Start, fit_hash
    except ImportError as error:
        raise MissingBackend(
            f"fit.field=hash needs torch ({error}); try: pip install 'zero123pp[diffusion]', or take fit.field=grid"
        ) from error
    from zero123pp.recon.fitting.targets import seen_colors

    resolution = len(hull)
    voxel = 2 * half_extent / (resolution - 1)
    floor, table, small = _rays(views, hull / voxel, half_extent, config)
    if config.hash.start == "sphere":
        axis = np.linspace(-half_extent, half_extent, resolution, dtype=np.float32)
        radii = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
        start = (radii - half_extent / 2) / voxel
        floor, color = np.full_like(floor, -resolution), np.full((*hull.shape, 3), 0.5, np.float32)
    else:
        start = (hull if carved is None else hull + resize_grid(carved, resolution)) / voxel
        color = seen_colors(small, hull, half_extent) if color is None else resize_grid(color, resolution)
    # A hull may be far from the surface; what levels have carved is not.
    reach = np.inf if carved is None else resolution / 12
    weights = {
        "rgb": config.weight_rgb, "rgb_scale": config.rgb_scale, "mask": config.weight_mask, "normal": 1.0,
    }  # fmt: skip
    sdf, color, used = fit_hash(
        Start(start.astype(np.float32), color, floor, table, reach), config.hash, weights, seed=seed,
        progress=lambda part: report(part * config.hash.steps),
    )  # fmt: skip
    return Field(sdf * voxel, color, half_extent, used)


def _threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _steps_of_levels(config: FitConfig) -> list[int]:
    """The steps of each level; equal, the first levels get the rest."""
    count = len(config.levels)
    return [config.steps // count + (level < config.steps % count) for level in range(count)]


def shown_radius(views: Sequence[View]) -> float:
    """Radius of the sphere round the origin in which an object is looked for, world units.

    What the views show across, at the origin's distance (the median over the views), and 6 % more: 0.53 for the rig
    v1.2, whose frame promises an object of radius 0.5, and 0.62 for v1.1, where its size follows the input picture.
    Never less than the frame promises, and at most 1.3 times that: pictures with much room round the object say little.
    """
    shown = [
        np.linalg.norm(view.camera.world_from_cam[:3, 3])
        * min(view.camera.width / view.camera.fx, view.camera.height / view.camera.fy)
        / 2
        for view in views
    ]
    return float(np.clip(1.06 * np.median(shown), OBJECT_RADIUS, 1.3 * OBJECT_RADIUS))


def _frame(silhouettes: "Silhouettes", radius: float, config: FitConfig) -> tuple[float, float]:  # noqa: F821
    """Half the side of the smallest cube round the origin that holds the visual hull, and a voxel and a half more.

    A compact object then gets more voxels than one that reaches the ends of its sphere. The second value is the factor
    by which levels are refined, see `FitConfig.refinement`.
    """
    resolution = 64
    hull = silhouettes.grid(resolution, radius, radius=radius, outlier_views=config.hull_outlier_views)
    spacing = 2 * radius / (resolution - 1)
    inside = np.stack(np.nonzero(hull < spacing / 2))
    if not inside.size:
        raise StageFailed(
            "the silhouettes of the views have no common volume; check that cameras and pictures belong together"
        )
    reach = np.abs(inside * spacing - radius).max()
    # Nodes within a voxel of the hull, per face of a grid that just holds it: 6 for a box that fills its cube, 2 for a
    # thin plate.
    surface = np.count_nonzero(np.abs(hull) < spacing) / 2 / (reach / spacing * 2) ** 2
    finer = float(np.clip(np.sqrt(_TYPICAL_SURFACE / surface), 1, config.refinement))
    return float(reach * (1 + 3 / (config.levels[-1] * finer))), finer


def _solver(
    views: tuple[View, ...], hull: np.ndarray, start: np.ndarray, color: np.ndarray | None, half_extent: float,
    config: FitConfig, pool: ThreadPoolExecutor,
) -> "Solver":  # noqa: F821  # fmt: skip
    from zero123pp.recon.fitting.solver import Solver
    from zero123pp.recon.fitting.targets import seen_colors

    floor, table, small = _rays(views, hull, half_extent, config)
    color = seen_colors(small, hull, half_extent) if color is None else resize_grid(color, len(hull))
    return Solver(start, color, floor, table, _REACH, pool)


def _rays(
    views: tuple[View, ...], hull: np.ndarray, half_extent: float, config: FitConfig
) -> tuple[np.ndarray, np.ndarray, list[View]]:
    """What a level is fitted to, with the hull (n, n, n) in voxels.

    Returns:
        (n, n, n) the least distance allowed, voxels; (R, RAY_SIZE) rays, see `zero123pp.recon.ops.field.rays`; the
        views in the size that suits the level.
    """
    from zero123pp.recon.fitting import targets
    from zero123pp.recon.ops.field.rays import clip_to_hull
    from zero123pp.recon.ops.resample import shrunk

    resolution = len(hull)
    voxel = 2 * half_extent / (resolution - 1)
    pixels = [targets.pixel_size(view) for view in views]
    small = [shrunk(view, voxel / _PIXELS_PER_VOXEL / pixel) for view, pixel in zip(views, pixels)]
    tolerance = config.hull_tolerance_px * float(
        np.mean([pixel * view.camera.width / 320 for view, pixel in zip(views, pixels)])
    )
    floor = hull - tolerance / voxel
    table = targets.ray_table(small, half_extent, resolution, _MARGIN_PX, config.weight_normal)
    clip_to_hull(floor.reshape(-1), resolution, table, np.float32(_REACH))
    return floor, table[table[:, targets.ray.FAR] > table[:, targets.ray.NEAR]], small


def _batches(ray_count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of at most ``size`` rays: every ray comes once before any comes again.

    Rays of a batch are in the order of the table, so that neighbours look at the same nodes one after another.
    """
    while True:
        order = rng.permutation(ray_count).astype(np.int32)
        count = max(round(ray_count / size), 1)
        for batch in np.array_split(order, count):
            yield np.sort(batch)


def _advance(solver: "Solver", chosen: np.ndarray, level: int, done: float, config: FitConfig) -> None:  # noqa: F821
    from zero123pp.recon.fitting.solver import Weights

    sharp_begin, sharp_end = config.sharpness
    fall = 0.1 ** max(2 * done - 1, 0)  # to a tenth over the second half of a level
    weights = Weights(  # that of normals is in the table of rays
        config.weight_rgb, config.rgb_scale, config.weight_mask, 1.0, config.weight_laplacian, config.weight_eikonal
    )
    solver.step(
        chosen,
        sharp_begin + (sharp_end - sharp_begin) * done,
        (config.sample_step, _SKIP_SHARE, _SKIP_MAX),
        weights,
        config.lr_sdf * 0.7**level * fall,
        config.lr_color * fall,
    )
