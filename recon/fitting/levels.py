"""Coarse to fine: the visual hull is carved on one dense grid after another until its renders agree with the views."""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.recon.field import Field, resize_grid
from zero123pp.recon.fitting.config import FitConfig
from zero123pp.recon.fitting.frame import Frame
from zero123pp.recon.fitting.vessels import BETTER, hollowed
from zero123pp.types import View

if TYPE_CHECKING:
    from zero123pp.recon.fitting.flats import Look, SmoothNormals
    from zero123pp.recon.fitting.solver import Solver
    from zero123pp.recon.fitting.targets import LevelTargets

_SKIP_SHARE, _SKIP_MAX = 0.6, 4.0
"""Share of the free distance that is skipped (the grid is not an exact distance), and the longest skip in voxels."""


_SMOOTHED_AT = (0.5,)
"""When in a level normals are smoothed; all but the first level begin with it as well. Three times in a level is a
little better and costs a tenth more."""
_FLATTENED_AT = (0.25, 0.5)
"""When in a level flats are flattened; all but the first level begin with it as well, in the first there is none. Once
more at the end, with no steps after it in which colours have their say, swells what is smooth and round."""


@dataclass(frozen=True)
class FittedLevel:
    """A level as it ended, on n^3 nodes."""

    field: Field
    carved: np.ndarray
    """(n, n, n) what was carved off the visual hull: the field's distances less the hull's, world units."""


def fit_levels(
    views: Sequence[View], frame: Frame, config: FitConfig, rng: np.random.Generator, pool: Executor,
    workers: int, progress: Callable[[float], None], watch: "Callable[[Look], None] | None" = None,
) -> FittedLevel:  # fmt: skip
    """Fit all levels, each from where the one before it ended.

    Args:
        views: all of them trusted.
        frame: of the object.
        config: see `FitConfig`.
        rng: draws the rays.
        pool: runs the kernels.
        workers: how many jobs the pool runs at once.
        progress: called with the number of steps done, over all levels together.
        watch: called with the looks of all levels but the first, see `fit`.
    """
    from zero123pp.recon.fitting.targets import contrast

    config = replace(config, weight_rgb=config.weight_rgb * max(config.rgb_contrast / contrast(views), 1.0))
    shares, ended = _steps_of_levels(config), None
    # What the next level stands on is made while one takes its steps, and the two starts of the first race each other.
    with ThreadPoolExecutor(2) as beside:
        grounds = [
            beside.submit(_ground, views, frame, round(coarse * frame.finer), config, pool) for coarse in config.levels
        ]
        for level, coming in enumerate(grounds):
            ground = coming.result()
            before, racing = sum(shares[:level]), None
            if level == 0 and config.vessel_wall > 0:
                same_rays = copy.deepcopy(rng)
                racing = beside.submit(_run_hollow, ground, frame, shares[level], config, same_rays, pool, workers)
            solver = _solver(ground, frame, _start(ground, frame, ended), ended, pool, workers)
            loss = _run(
                solver, ground.smooth, level, shares[level], config, rng,
                lambda step: progress(before + step), watch  # noqa: B023
            )  # fmt: skip
            if racing:
                hollow, hollow_loss = racing.result()
                solver = hollow if hollow_loss < BETTER * loss else solver
            voxel = frame.voxel(len(ground.hull))
            field = Field(solver.sdf * voxel, solver.color, frame.half_extent)
            ended = FittedLevel(field, (solver.sdf - ground.hull) * voxel)
    return ended


@dataclass(frozen=True)
class _Ground:
    """What a level stands on, wherever it begins."""

    hull: np.ndarray
    """(n, n, n) signed distances of the visual hull, voxels."""
    wanted: "LevelTargets"
    smooth: "SmoothNormals | None"
    """Smooths the level's normals, where that is wanted and no view has normals."""


def _ground(views: Sequence[View], frame: Frame, resolution: int, config: FitConfig, pool: Executor) -> _Ground:
    """What a level of ``resolution`` nodes along an axis stands on."""
    from zero123pp.recon.fitting.flats import SmoothNormals
    from zero123pp.recon.fitting.targets import contrast, level_targets

    hull = frame.hull(resolution) / frame.voxel(resolution)
    wanted = level_targets(views, hull, frame.half_extent, config)
    if not (config.weight_smoothed or config.weight_corrected) or any(view.normal is not None for view in views):
        return _Ground(hull, wanted, None)
    smooth = SmoothNormals(
        wanted.views, wanted.rays, wanted.pixels, frame.half_extent, resolution, contrast(wanted.views), hull, pool
    )  # fmt: skip
    return _Ground(hull, wanted, smooth)


def _start(ground: _Ground, frame: Frame, before: FittedLevel | None) -> np.ndarray:
    """Distances (n, n, n), voxels, with which a level begins: the hull, or where the level ``before`` ended."""
    if before is None:
        return ground.hull
    # What was carved off the coarse hull is carved off the fine one, which brings back its thin parts.
    resolution = len(ground.hull)
    return ground.hull + resize_grid(before.carved, resolution) / frame.voxel(resolution)


def _solver(
    ground: _Ground, frame: Frame, start: np.ndarray, before: FittedLevel | None, pool: Executor, workers: int
) -> "Solver":  # fmt: skip
    """The solver of a level from ``start`` (n, n, n), voxels, with colours of the level before or of the views."""
    from zero123pp.recon.fitting.first_colors import seen_colors
    from zero123pp.recon.fitting.solver import Solver
    from zero123pp.recon.fitting.targets import REACH

    if before is None:
        color = seen_colors(ground.wanted.views, start, frame.half_extent)
    else:
        color = resize_grid(before.field.color, len(start))
    return Solver(start, color, ground.wanted.floor, ground.wanted.rays, REACH, pool, workers)


def _run(
    solver: "Solver", smooth: "SmoothNormals | None", level: int, steps: int, config: FitConfig,
    rng: np.random.Generator, progress: Callable[[int], None], watch: "Callable[[Look], None] | None",
) -> float:  # fmt: skip
    """All steps of a level; returns the mean loss of its rays over the last quarter of them."""
    draw = _batches(solver.ray_count, round(config.rays * (config.levels[level] / 64) ** 2), rng)
    losses = [0.0]
    flattens, corrects = config.flattens and level > 0, config.weight_corrected > 0 and level > 0
    parts = (_FLATTENED_AT if flattens else _SMOOTHED_AT) + ((0.0,) if level else ())
    moments = {round(part * steps) for part in parts}
    for index in range(steps):
        if smooth and index in moments:
            look = smooth(solver.sdf)
            if watch and level:
                watch(look)
            moves = corrects and index == 0
            if corrects:
                _correct(solver, look, config.weight_corrected, moves)
            else:
                normals, trust = look.targets()
                solver.aim_at(normals, config.weight_smoothed * trust)
            if flattens:
                from zero123pp.recon.fitting.flattening import flattened

                if moves:
                    look = smooth(solver.sdf)
                solver.move_to(flattened(look))
        _advance(solver, next(draw), level, index / steps, config)
        losses.append(solver.losses["rgb"] + solver.losses["mask"])
        progress(index + 1)
    if watch and level and smooth:
        watch(smooth(solver.sdf))
    return float(np.mean(losses[-max(steps // 4, 1) :]))


def _run_hollow(
    ground: _Ground, frame: Frame, steps: int, config: FitConfig, rng: np.random.Generator, pool: Executor,
    workers: int,
) -> "tuple[Solver, float]":  # fmt: skip
    """The first level from the hull made hollow: the solver and what `_run` says of it."""
    solver = _solver(ground, frame, hollowed(ground.hull, config.vessel_wall), None, pool, workers)
    return solver, _run(solver, ground.smooth, 0, steps, config, rng, lambda step: None, None)


def _correct(solver: "Solver", look: "Look", weight: float, moves: bool) -> None:
    """Let the network say which normals the rays should meet, and whether it ``moves`` the surface as well."""
    from zero123pp.recon.fitting.correction.network import bundled_correction

    correction = bundled_correction().correction(look)
    normals, trust = correction.targets()
    solver.aim_at(normals, weight * trust)
    if moves:
        solver.move_to(correction.moved())


def _steps_of_levels(config: FitConfig) -> list[int]:
    """The steps of each level; equal, the first levels get the rest."""
    count = len(config.levels)
    return [config.steps // count + (level < config.steps % count) for level in range(count)]


def _batches(ray_count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of at most ``size`` rays: every ray comes once before any comes again.

    Rays of a batch are in the order of the table, so that neighbours look at the same nodes one after another.
    """
    while True:
        order = rng.permutation(ray_count).astype(np.int32)
        count = max(round(ray_count / size), 1)
        for batch in np.array_split(order, count):
            yield np.sort(batch)


def _advance(solver: "Solver", chosen: np.ndarray, level: int, done: float, config: FitConfig) -> None:
    """One step at ``done`` (0 to 1) of a level."""
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
