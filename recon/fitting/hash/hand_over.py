"""Hands a frame, and what the levels made in it, to the hash-grid field. Loads torch only when it is called."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.recon.field import Field, resize_grid
from zero123pp.recon.fitting.config import FitConfig
from zero123pp.types import View

if TYPE_CHECKING:
    from zero123pp.recon.fitting.levels import FittedLevel


def fit_hash_field(
    views: Sequence[View], hull: np.ndarray, half_extent: float, before: "FittedLevel | None", config: FitConfig,
    seed: int, progress: Callable[[float], None],
) -> Field:  # fmt: skip
    """The hash-grid field that begins where the levels ended.

    Args:
        views: all of them trusted.
        hull: (n, n, n) signed distances of the visual hull, world units; the field is handed on as so many nodes.
        half_extent: of the cube, world units.
        before: what the levels made; None where the field begins without them.
        config: see `FitConfig`.
        seed: of the field's weights and the choice of rays.
        progress: called with the fraction done.

    Raises:
        MissingBackend: torch, or a back-end that was asked for, is not here.
    """
    try:
        from zero123pp.recon.fitting.hash.fit import Start, fit_hash
    except ImportError as error:
        raise MissingBackend(
            f"fit.field=hash needs torch ({error}); try: pip install 'zero123pp[diffusion]', or take fit.field=grid"
        ) from error
    from zero123pp.recon.fitting.first_colors import seen_colors
    from zero123pp.recon.fitting.targets import level_targets

    resolution = len(hull)
    voxel = 2 * half_extent / (resolution - 1)
    wanted = level_targets(views, hull / voxel, half_extent, config)
    floor, reach = wanted.floor, np.inf
    if config.hash.start == "sphere":
        start = _sphere(resolution, half_extent) / voxel
        floor, color = np.full_like(floor, -resolution), np.full((*hull.shape, 3), 0.5, np.float32)
    elif before is None:
        start, color = hull / voxel, seen_colors(wanted.views, hull, half_extent)
    else:
        start = (hull + resize_grid(before.carved, resolution)) / voxel
        color = resize_grid(before.field.color, resolution)
        reach = resolution / 12  # a hull may be far from the surface; what levels have carved is not
    weights = {
        "rgb": config.weight_rgb, "rgb_scale": config.rgb_scale, "mask": config.weight_mask, "normal": 1.0,
    }  # fmt: skip
    sdf, color, used = fit_hash(
        Start(start.astype(np.float32), color, floor, wanted.rays, reach), config.hash, weights, seed=seed,
        progress=progress,
    )  # fmt: skip
    return Field(sdf * voxel, color, half_extent, used)


def _sphere(resolution: int, half_extent: float) -> np.ndarray:
    """Signed distances (n, n, n) float32 of a sphere of half the cube's size, world units."""
    axis = np.linspace(-half_extent, half_extent, resolution, dtype=np.float32)
    return np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) - half_extent / 2
