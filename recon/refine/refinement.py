"""The refine stage: the vertices of a clean mesh follow the pictures through a differentiable rasteriser.

The fit sees the object through voxels; what is finer than a voxel, above all the slope that normals show, is put into
the mesh here. Topology and faces stay as they are.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.types import Mesh, View


@dataclass(frozen=True)
class RefineConfig:
    """How the mesh is refined."""

    use: Literal["never", "normals", "always"] = "normals"
    """When: where views have normals, always, or never. On colours and masks alone it gained nothing over the fit."""
    backend: Literal["auto", "numba", "nvdiffrast", "torch"] = "auto"
    """Rasteriser: auto and numba run on the processor, torch and nvdiffrast (no commercial use) on CUDA."""
    steps: int = 30
    """Optimiser steps."""
    pixels: int = 320
    """Views are averaged down to this many pixels on their longer side."""
    lr: float = 0.015
    """Length of a step, world units, before it is smoothed; it falls to a tenth over the second half."""
    lr_color: float = 0.02
    """Learning rate of the vertex colours, sRGB."""
    smoothness: float = 10.0
    """How far a force spreads over the mesh: about the square of the number of edges."""
    smoothness_end: float = 1.0
    """The same over the second half of the steps: first patches move, then single bumps go."""
    weight_rgb: float = 0.3
    """Weight of the colour residuals (sRGB, squared while small), per pixel of the object."""
    rgb_scale: float = 0.3
    """Residual (sRGB) beyond which colour counts linearly."""
    weight_mask: float = 3.0
    """Weight of the squared difference between coverage and alpha."""
    weight_normal: float = 8.0
    """Weight of the squared difference between unit normals of the faces and those of the views."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 16 <= self.pixels <= 4096:
            raise ConfigError(f"refine.steps, pixels are {self.steps}, {self.pixels}; expected at least 1, 16 to 4096")
        for name in ("lr", "rgb_scale"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"refine.{name} is {getattr(self, name)}; expected a number above 0")
        for name in ("lr_color", "smoothness", "smoothness_end", "weight_rgb", "weight_mask", "weight_normal"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"refine.{name} is {getattr(self, name)}; expected a number of at least 0")


def wanted(views: Sequence[View], config: RefineConfig) -> bool:
    """Whether the config asks for refinement with these views."""
    given = any(view.normal is not None and view.confidence > 0 for view in views)
    return config.use == "always" or (config.use == "normals" and given)


def refine(
    mesh: Mesh,
    views: Sequence[View],
    config: RefineConfig = RefineConfig(),
    progress: Callable[[float], None] | None = None,
) -> tuple[Mesh, dict]:
    """The mesh with its vertices and colours moved towards what the views show.

    Args:
        mesh: closed surface, outward winding.
        views: any number and sizes; ``confidence`` scales a view's share.
        config: see `RefineConfig`; ``use`` is not looked at, see `wanted`.
        progress: called with fractions in [0, 1].

    Returns:
        The mesh with the same faces, and a report: backend, loss (at first and at last), moved_mean and moved_most
        (distances, world units), held_back (vertices that could not go where they wanted without spoiling the mesh).

    Raises:
        MissingBackend: the back-end that was asked for cannot be used here.
    """
    from zero123pp.recon.refine.descent import Adam, SmoothDescent
    from zero123pp.recon.refine.objective import make_objective
    from zero123pp.recon.render import UNPAINTED

    report = progress or (lambda fraction: None)
    start = np.array(mesh.vertices, np.float64)
    colors = np.full(start.shape, UNPAINTED) if mesh.colors is None else mesh.colors / 255
    descent, adam = SmoothDescent(start, mesh.faces, config.smoothness), Adam(colors.shape)
    vertices, losses = start, []
    with ThreadPoolExecutor(2) as pool:
        backend, objective = make_objective(mesh.faces, views, config, pool)
        for index in range(config.steps):
            loss, of_vertices, of_colors = objective(vertices, colors)
            losses.append(loss)
            if index == config.steps // 2:
                descent = SmoothDescent(vertices, mesh.faces, config.smoothness_end)
            fall = 0.1 ** max(2 * index / config.steps - 1, 0)
            vertices = descent.step(of_vertices, config.lr * fall)
            colors = np.clip(colors - config.lr_color * fall * adam.direction(of_colors), 0, 1)
            report((index + 1) / config.steps)
    return _finished(mesh, vertices, colors, {"backend": backend, "loss": [losses[0], losses[-1]]})


def _finished(mesh: Mesh, vertices: np.ndarray, colors: np.ndarray, report: dict) -> tuple[Mesh, dict]:
    """The valid mesh nearest to what was found, and the report."""
    from zero123pp.images import to_uint8
    from zero123pp.recon.refine.guard import held_back

    moved, held = held_back(mesh, vertices)
    distance = np.linalg.norm(moved.vertices - mesh.vertices, axis=1)
    report |= {"moved_mean": float(distance.mean()), "moved_most": float(distance.max()), "held_back": held}
    return replace(moved, colors=to_uint8(colors)), report
