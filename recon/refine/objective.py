"""How far the pictures of a coloured mesh are from the views, and in which direction the mesh has to move."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import ModuleType

import numba
import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.ops import shrunk
from zero123pp.recon.ops.raster import (
    choose_differentiable,
    edge_neighbours,
    fused,
    screen_points,
    screen_points_backward,
)
from zero123pp.recon.refine.face_normals import normal_loss, normal_sums
from zero123pp.recon.refine.target import Target, make_target
from zero123pp.types import View


def make_objective(
    faces: np.ndarray, views: Sequence[View], config: "RefineConfig", pool: ThreadPoolExecutor  # noqa: F821
) -> tuple[str, Callable]:  # fmt: skip
    """Name of the back-end, and the function of vertices and colours that gives the loss and both derivatives."""
    name, module, device = _back_end(config)
    trusted = [view for view in views if view.confidence > 0]
    small = [shrunk(view, max(view.alpha.shape) / config.pixels) for view in trusted]
    targets = [make_target(view, config) for view in small if view.alpha.any()]
    if not targets:
        raise StageFailed(f"none of {len(views)} views shows an object and has a confidence above 0")
    if name == "numba":
        return name, Objective(targets, faces, pool)
    from zero123pp.recon.refine.torch_objective import TorchObjective

    return name, TorchObjective(targets, faces, module.DifferentiableRasterizer, device)


def _back_end(config: "RefineConfig") -> tuple[str, ModuleType, str]:  # noqa: F821
    """Name, module and device of the rasteriser. Torch is imported only where it is asked for."""
    if config.backend in ("auto", "numba") or find_spec("torch") is None:
        return *choose_differentiable("numba" if config.backend == "auto" else config.backend), "cpu"
    from zero123pp.recon.ops import device_of

    device = str(device_of("auto"))
    return *choose_differentiable(config.backend, device), device


class Objective:
    """Loss and gradients by the Numba rasteriser, one thread a view."""

    def __init__(self, targets: Sequence[Target], faces: np.ndarray, pool: ThreadPoolExecutor) -> None:
        self._targets, self._faces, self._pool = targets, np.ascontiguousarray(faces, np.int32), pool
        self._neighbours = edge_neighbours(faces)

    def __call__(self, vertices: np.ndarray, colors: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, and its derivatives (N, 3) by the vertices (N, 3) and by the colours (N, 3)."""
        values = np.ascontiguousarray(colors, np.float32)
        parts = list(self._pool.map(lambda target: self._of_view(target, vertices, values), self._targets))
        loss, of_vertices, of_colors, sums = (sum(part) for part in zip(*parts))
        of_normals, by_normals = normal_loss(vertices, self._faces, sums)
        return loss + of_normals, of_vertices + by_normals, of_colors

    def _of_view(self, target: Target, vertices: np.ndarray, colors: np.ndarray) -> tuple:
        """Loss of the picture, its derivatives by vertices and colours, and the `normal_sums` of the faces."""
        camera = target.camera
        points = screen_points(vertices, camera)
        drawn = fused.draw(points, self._faces, colors, camera.width, camera.height, self._neighbours)
        sums = np.zeros((len(self._faces), 4))
        normal_sums(drawn.fragments.face, target.normal, target.normal_weight, sums)
        gradient = np.empty_like(drawn.picture)
        loss = _residuals(drawn.picture, target.picture, target.weight, target.scale, gradient)
        of_points, of_colors = drawn.backward(gradient)
        return loss, screen_points_backward(of_points, camera), of_colors, sums


@numba.njit(cache=True, nogil=True)
def _residuals(
    picture: np.ndarray, wanted: np.ndarray, weight: np.ndarray, scale: np.ndarray, gradient: np.ndarray
) -> float:
    """Sum of weight * 2 s^2 (sqrt(1 + (r / s)^2) - 1), which is r^2 while small, and its derivative.

    Charbonnier et al. 1997, "Deterministic edge-preserving regularization in computed imaging". Written without the
    difference, it also holds for an infinite scale s.
    """
    loss = 0.0
    height, width, channels = picture.shape
    for row in range(height):
        for column in range(width):
            for k in range(channels):
                residual = picture[row, column, k] - wanted[row, column, k]
                root = np.sqrt(1 + (residual / scale[k]) ** 2)
                loss += weight[k] * 2 * residual**2 / (root + 1)
                gradient[row, column, k] = weight[k] * 2 * residual / root
    return loss
