"""How far the pictures of a coloured mesh are from the views, and in which direction the mesh has to move."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

import numba
import numpy as np

from zero123pp.errors import MissingBackend, StageFailed
from zero123pp.recon.ops.raster import choose_drawer, fused
from zero123pp.recon.ops.raster.crossings import edge_neighbours
from zero123pp.recon.ops.raster.zbuffer import pull_screen_points, screen_points
from zero123pp.recon.refine.vertex_normals import pull_vertex_normals, vertex_normals
from zero123pp.recon.targets import shrunk, trusted_normals
from zero123pp.types import Camera, View


@dataclass(frozen=True)
class Target:
    """What one view wants to see."""

    camera: Camera
    picture: np.ndarray
    """(H, W, C + 1) float32: colour (and world normal) times alpha, then alpha."""
    weight: np.ndarray
    """(H, W, C + 1) float32 weight of each squared residual."""
    scale: np.ndarray
    """(C + 1,) float32 residual beyond which it counts linearly."""


_MARGIN_PX = 12
"""Pixels round a silhouette that the mesh may cover without leaving the picture."""


def make_objective(
    faces: np.ndarray, views: Sequence[View], config: "RefineConfig", pool: ThreadPoolExecutor  # noqa: F821
) -> tuple[str, Callable]:  # fmt: skip
    """Name of the back-end, and the function of vertices and colours that gives the loss and both derivatives."""
    name, module, device = _back_end(config)
    trusted = [view for view in views if view.confidence > 0]
    with_normals = config.weight_normal > 0 and any(view.normal is not None for view in trusted)
    small = [shrunk(view, max(view.alpha.shape) / config.pixels) for view in trusted]
    targets = [make_target(view, config, with_normals) for view in small if view.alpha.any()]
    if not targets:
        raise StageFailed(f"none of {len(views)} views shows an object and has a confidence above 0")
    if name == "numba":
        return name, Objective(targets, faces, pool)
    from zero123pp.recon.refine.torch_objective import TorchObjective

    return name, TorchObjective(targets, faces, module.Drawer, device)


def _back_end(config: "RefineConfig") -> tuple[str, ModuleType, str]:  # noqa: F821
    """Name, module and device of the rasteriser. Torch is imported only where something may use it."""
    maybe_cuda = config.backend != "auto" or find_spec("nvdiffrast") is not None
    if config.backend == "numba" or not maybe_cuda:
        return *choose_drawer("numba"), "cpu"
    if find_spec("torch") is None:
        return *choose_drawer(config.backend), "cpu"
    from zero123pp.recon.ops.device import device_of

    device = str(device_of("auto"))
    try:
        return *choose_drawer(config.backend, device), device
    except MissingBackend:
        if config.backend != "auto":
            raise
        return *choose_drawer("numba"), "cpu"


def make_target(view: View, config: "RefineConfig", with_normals: bool) -> Target:  # noqa: F821
    """The target of a view, cropped to its object.

    Args:
        view: with its object's silhouette.
        config: has the weights.
        with_normals: whether any view has normals, so that all have the same channels.
    """
    share = view.confidence / max(float(view.alpha.sum()), 1.0)
    # Before the crop: near its border, normals would be compared with what lies outside.
    normal, trust = (None, None) if view.normal is None else trusted_normals(view)
    rows, columns = (_reach(view.alpha.any(axis), _MARGIN_PX) for axis in (1, 0))
    crop = (rows, columns)
    alpha, rgb = view.alpha[crop][..., None], view.rgb[crop]
    parts, weight, scale = [rgb * alpha], [np.full_like(rgb, config.weight_rgb * share)], [config.rgb_scale] * 3
    if with_normals:
        known = normal is not None
        parts.append(normal[crop] * alpha if known else np.zeros_like(rgb))
        of_normals = trust[crop] * np.float32(config.weight_normal * share) if known else np.zeros_like(rgb[..., 0])
        weight.append(np.repeat(of_normals[..., None], 3, axis=-1))
        scale += [np.inf] * 3
    parts.append(alpha)
    weight.append(np.full_like(alpha, config.weight_mask * share))
    scale.append(np.inf)
    stacked = (np.ascontiguousarray(np.dstack(each), np.float32) for each in (parts, weight))
    return Target(_cropped(view.camera, rows, columns), *stacked, np.array(scale, np.float32))


def _reach(occupied: np.ndarray, margin: int) -> slice:
    """From the first to the last marked entry, and ``margin`` more where there are."""
    marked = np.flatnonzero(occupied)
    return slice(max(marked[0] - margin, 0), min(marked[-1] + margin + 1, len(occupied)))


def _cropped(camera: Camera, rows: slice, columns: slice) -> Camera:
    cx, cy = camera.cx - columns.start, camera.cy - rows.start
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return Camera(camera.world_from_cam, camera.fx, camera.fy, cx, cy, width, height)


class Objective:
    """Loss and gradients by the Numba rasteriser, one thread a view."""

    def __init__(self, targets: Sequence[Target], faces: np.ndarray, pool: ThreadPoolExecutor) -> None:
        self._targets, self._faces, self._pool = targets, np.ascontiguousarray(faces, np.int32), pool
        self._neighbours = edge_neighbours(faces)
        self._normals = targets[0].picture.shape[-1] == 7

    def __call__(self, vertices: np.ndarray, colors: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, and its derivatives (N, 3) by the vertices (N, 3) and by the colours (N, 3)."""
        values = colors
        if self._normals:
            normals, length = vertex_normals(vertices, self._faces)
            values = np.concatenate([colors, normals], axis=1)
        values = np.ascontiguousarray(values, np.float32)
        parts = list(self._pool.map(lambda target: self._of_view(target, vertices, values), self._targets))
        loss = sum(part[0] for part in parts)
        of_vertices, of_values = sum(part[1] for part in parts), sum(part[2] for part in parts)
        if self._normals:
            of_vertices = of_vertices + pull_vertex_normals(vertices, self._faces, normals, length, of_values[:, 3:])
        return loss, of_vertices, of_values[:, :3]

    def _of_view(self, target: Target, vertices: np.ndarray, values: np.ndarray) -> tuple:
        camera = target.camera
        points = screen_points(vertices, camera)
        drawn = fused.draw(points, self._faces, values, camera.width, camera.height, self._neighbours)
        gradient = np.empty_like(drawn.picture)
        loss = _residuals(drawn.picture, target.picture, target.weight, target.scale, gradient)
        of_points, of_values = drawn.pull(gradient)
        return loss, pull_screen_points(of_points, camera), of_values


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
                loss += weight[row, column, k] * 2 * residual**2 / (root + 1)
                gradient[row, column, k] = weight[row, column, k] * 2 * residual / root
    return loss
