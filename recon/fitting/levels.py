"""Coarse to fine: the visual hull is carved on one dense grid after another until its renders agree with the views."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
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
    for level, coarse in enumerate(config.levels):
        solver, hull, smooth = _begin(views, frame, round(coarse * frame.finer), ended, config, pool, workers)
        before, state = sum(shares[:level]), rng.bit_generator.state
        races = level == 0 and config.vessel_wall > 0
        part = 0.5 if races else 1.0
        loss = _run(
            solver, smooth, level, shares[level], config, rng,
            lambda step: progress(before + part * step), watch  # noqa: B023
        )  # fmt: skip
        if races:
            hollow, _, smooth = _begin(views, frame, len(hull), None, config, pool, workers, wall=config.vessel_wall)
            rng.bit_generator.state = state  # the same rays for both
            hollow_loss = _run(
                hollow, smooth, level, shares[level], config, rng, lambda step: progress((shares[0] + step) / 2), None
            )  # fmt: skip
            solver = hollow if hollow_loss < BETTER * loss else solver
        voxel = frame.voxel(len(hull))
        field = Field(solver.sdf * voxel, solver.color, frame.half_extent)
        ended = FittedLevel(field, (solver.sdf - hull) * voxel)
    return ended


def _begin(
    views: Sequence[View], frame: Frame, resolution: int, before: FittedLevel | None, config: FitConfig, pool: Executor,
    workers: int, wall: float = 0.0,
) -> tuple["Solver", np.ndarray, "SmoothNormals | None"]:  # fmt: skip
    """The solver of a level that begins where the one ``before`` ended, and the hull (n, n, n) in its voxels.

    The third is what smooths its normals, where that is wanted and no view has normals. The first level begins from
    the hull, or with a ``wall`` from the hollow one.
    """
    from zero123pp.recon.fitting.flats import SmoothNormals
    from zero123pp.recon.fitting.solver import Solver
    from zero123pp.recon.fitting.targets import REACH, contrast, level_targets, seen_colors

    voxel = frame.voxel(resolution)
    hull = frame.hull(resolution) / voxel
    wanted = level_targets(views, hull, frame.half_extent, config)
    if before is None:
        start = hollowed(hull, wall) if wall else hull
        color = seen_colors(wanted.views, start, frame.half_extent)
    else:
        # What was carved off the coarse hull is carved off the fine one, which brings back its thin parts.
        start = hull + resize_grid(before.carved, resolution) / voxel
        color = resize_grid(before.field.color, resolution)
    solver = Solver(start, color, wanted.floor, wanted.rays, REACH, pool, workers)
    if not (config.weight_smoothed or config.weight_corrected) or any(view.normal is not None for view in views):
        return solver, hull, None
    smooth = SmoothNormals(
        wanted.views, wanted.rays, wanted.pixels, frame.half_extent, resolution, contrast(wanted.views), hull, pool
    )  # fmt: skip
    return solver, hull, smooth


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
            if corrects:
                _correct(solver, look, config.weight_corrected)
            else:
                normals, trust = look.targets()
                solver.aim_at(normals, config.weight_smoothed * trust)
            if flattens:
                from zero123pp.recon.fitting.flattening import flattened

                if corrects:
                    look = smooth(solver.sdf)
                solver.move_to(flattened(look))
        _advance(solver, next(draw), level, index / steps, config)
        losses.append(solver.losses["rgb"] + solver.losses["mask"])
        progress(index + 1)
    if watch and level and smooth:
        watch(smooth(solver.sdf))
    return float(np.mean(losses[-max(steps // 4, 1) :]))


def _correct(solver: "Solver", look: "Look", weight: float) -> None:
    """Let the network say which normals the rays should meet, and move the surface to where it says that it is."""
    from zero123pp.recon.fitting.correction.network import bundled_correction

    correction = bundled_correction().correction(look)
    normals, trust = correction.targets()
    solver.aim_at(normals, weight * trust)
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
