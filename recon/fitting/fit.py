"""Posed views to a field: a dense grid of signed distances and colours, fitted by differentiable rendering.

NeuS on voxels: the visual hull is the start and the limit of the shape, rays through the pixels carve it until
colours, silhouettes and (where given) normals agree, coarse to fine. A hash-grid field may go on from there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.machine import processors
from zero123pp.recon.field import Field
from zero123pp.recon.fitting.config import FitConfig
from zero123pp.recon.fitting.frame import find_frame
from zero123pp.recon.fitting.hash.hand_over import fit_hash_field
from zero123pp.recon.fitting.levels import fit_levels
from zero123pp.types import MultiView

if TYPE_CHECKING:
    from zero123pp.recon.fitting.flats import Look


def fit(
    views: MultiView,
    config: FitConfig = FitConfig(),
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    watch: Callable[["Look"], None] | None = None,
) -> Field:
    """Fit a field to posed views.

    Args:
        views: any number of pinhole views of one object, of any sizes; ``confidence`` scales a view's losses.
        config: see `FitConfig`.
        seed: of the choice of rays; the same seed gives the same bytes, whatever the number of threads.
        progress: called with the fraction done.
        watch: called with what the views see of the surface, each time that the fit asks for its normals in a level
            after the first, and at the end of such a level.

    Raises:
        StageFailed: a view shows no object, no view is trusted, or the silhouettes have no common volume.
    """
    from zero123pp.recon.fitting.hull import Silhouettes

    trusted = tuple(view for view in views.views if view.confidence > 0)
    if not trusted:
        raise StageFailed(f"none of {len(views)} views has a confidence above 0; there is nothing to fit to")
    hashed = config.field == "hash"
    with_levels = not hashed or config.hash.start == "grid"
    level_steps = config.steps if with_levels else 0
    every = level_steps + (config.hash.steps if hashed else 0)

    def report(steps: float) -> None:
        if progress:
            progress(steps / every)

    fitted, workers = None, len(processors())
    with ThreadPoolExecutor(workers) as pool:
        frame = find_frame(Silhouettes(trusted, pool), trusted, config)
        if with_levels:
            fitted = fit_levels(trusted, frame, config, np.random.default_rng(seed), pool, workers, report, watch)
        if not hashed:
            return fitted.field
        hull = frame.hull(config.hash.resolution)
    return fit_hash_field(
        trusted, hull, frame.half_extent, fitted, config, seed,
        lambda part: report(level_steps + part * config.hash.steps),
    )  # fmt: skip
