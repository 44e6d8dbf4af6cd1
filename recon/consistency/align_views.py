"""Views that contradict each other, warped into agreement: each gets a smooth displacement towards a fit to all.

Generated views of one object do not show exactly one object. A first quick fit is their compromise; warping
every picture towards what that looks like from its camera keeps detail which the fit to contradicting views would blur.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.types import Mesh, MultiView, View


@dataclass(frozen=True)
class AlignConfig:
    """When and how views are warped."""

    use: Literal["auto", "never", "always"] = "auto"
    """auto: where silhouettes contradict each other, but never photographs with measured cameras; always: those too."""
    inconsistency_px: float = 0.03
    """What counts as that, see `zero123pp.recon.consistency.silhouettes.inconsistency_px`."""
    steps: int = 60
    """Of the quick fit."""
    picture_px: int = 160
    """Longest side at which pictures are compared."""
    window: float = 0.12
    """Standard deviation of the window in which a picture is displaced as one, as a part of its longest side."""
    iterations: int = 4
    """Of the displacement."""

    def __post_init__(self) -> None:
        for name in ("steps", "iterations"):
            if getattr(self, name) < 1:
                raise ConfigError(f"align.{name} is {getattr(self, name)}; expected 1 or more")
        if not 32 <= self.picture_px <= 2048:
            raise ConfigError(f"align.picture_px is {self.picture_px}; expected 32 to 2048")
        if not 0 < self.window < 1:
            raise ConfigError(f"align.window is {self.window}; expected a part of a picture's side, such as 0.1")
        if not self.inconsistency_px >= 0:
            raise ConfigError(f"align.inconsistency_px is {self.inconsistency_px}; expected a number of at least 0")


def may_align(views: MultiView, config: AlignConfig) -> bool:
    """Whether such views are looked at at all."""
    return config.use == "always" or (config.use == "auto" and not views.captured)


def align_views(
    views: MultiView,
    config: AlignConfig = AlignConfig(),
    fit_config: FitConfig = FitConfig(),
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[MultiView, dict[str, Any]]:
    """The views, warped where they have to be, and what was found.

    Args:
        views: of one object.
        config: see `AlignConfig`.
        fit_config: of the fit that follows; the quick one is a dense grid with few steps.
        seed: of the quick fit.
        progress: called with the fraction done.

    Returns:
        ``views`` itself, or others in its place; and 'inconsistency_px' with, where views were warped, 'warped_px':
        the root mean square over each object of its displacement, px of its picture.

    Raises:
        StageFailed: as `fit`.
    """
    if not may_align(views, config):
        return views, {}
    from zero123pp.recon.consistency.silhouettes import inconsistency_px
    from zero123pp.recon.consistency.warp import warped
    from zero123pp.recon.meshing import extract

    report = progress or (lambda fraction: None)
    found = inconsistency_px([view for view in views.views if view.confidence > 0] or views.views)
    said: dict[str, Any] = {"inconsistency_px": round(found, 3) if np.isfinite(found) else None}
    if config.use == "auto" and found < config.inconsistency_px:
        return views, said
    quick = replace(fit_config, field="grid", refinement=1.0, steps=config.steps)
    mesh = extract(fit(views, quick, seed=seed, progress=lambda done: report(0.8 * done)))
    displacements = [_towards(mesh, view, config) for view in views.views]
    said["warped_px"] = list(map(_size, views.views, displacements))
    return replace(views, views=tuple(map(warped, views.views, displacements))), said


def _towards(mesh: Mesh, view: View, config: AlignConfig) -> np.ndarray:
    """The displacement (2, H, W) that warps the view towards what the mesh looks like from its camera."""
    from zero123pp.recon.consistency.warp import enlarged, flow
    from zero123pp.recon.ops import premultiplied, shrunk
    from zero123pp.recon.render import render

    small = shrunk(view, max(view.alpha.shape) / config.picture_px)
    shown = render(mesh, small.camera)
    window = config.window * max(small.alpha.shape)
    found = flow(premultiplied(small), premultiplied(shown), window, config.iterations)
    return enlarged(found, view.alpha.shape)


def _size(view: View, displacement: np.ndarray) -> float:
    shown = view.alpha > 0.5
    return round(float(np.sqrt((displacement[:, shown] ** 2).sum(0).mean())), 2) if shown.any() else 0.0
