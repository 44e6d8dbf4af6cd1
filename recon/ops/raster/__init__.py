"""Rasterisers: which triangle does each pixel see, and where on it?

One module per back-end, each with ``rasterize(vertices, faces, camera) -> Fragments`` and
``rasterize_uv(uvs, faces, width, height) -> Fragments``. ``zbuffer`` (Numba) is the reference; the others are tested
against it. A new back-end is one file and one line in `BACKENDS`.
"""

from importlib import import_module
from types import ModuleType

import numpy as np

from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.recon.ops.raster.fragments import Fragments
from zero123pp.types import Camera

__all__ = ["BACKENDS", "Fragments", "choose", "rasterize", "rasterize_uv"]

BACKENDS = {
    "numba": ("zero123pp.recon.ops.raster.zbuffer", "pip install numba"),
    "embree": ("zero123pp.recon.ops.raster.embree", "pip install embreex"),
}
"""Name -> (module, how to install what it needs), in the order in which ``auto`` tries them."""


def choose(name: str = "auto") -> tuple[str, ModuleType]:
    """The back-end called ``name``, or for "auto" the first that loads: its name and its module.

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: its library cannot be imported; the message has the install line.
    """
    if name != "auto" and name not in BACKENDS:
        raise ConfigError(f"unknown rasteriser {name!r}; choose one of auto, {', '.join(BACKENDS)}")
    failures = []
    for candidate in BACKENDS if name == "auto" else [name]:
        module, install = BACKENDS[candidate]
        try:
            return candidate, import_module(module)
        except ImportError as error:
            failures.append(f"rasteriser {candidate!r} cannot be loaded ({error}); try: {install}")
    raise MissingBackend("; ".join(failures))


def rasterize(vertices: np.ndarray, faces: np.ndarray, camera: Camera, backend: str = "auto") -> Fragments:
    """The nearest triangle through every pixel centre of ``camera``, front and back faces alike.

    Args:
        vertices: (N, 3) world frame.
        faces: (F, 3) vertex indices.
        camera: the viewer; triangles that cross its plane are drawn where they lie in front of it.
        backend: a key of `BACKENDS` or "auto".
    """
    _, module = choose(backend)
    vertices, faces = _checked(vertices, faces, 3)
    return module.rasterize(vertices, faces, camera)


def rasterize_uv(uvs: np.ndarray, faces: np.ndarray, width: int, height: int, backend: str = "auto") -> Fragments:
    """Triangles drawn into their texture: the triangle through every texel centre; depth is 1 where there is one.

    Args:
        uvs: (N, 2) texture coordinates, u to the right, v up; row 0 of the result is the top (v = 1).
        faces: (F, 3) vertex indices.
        width: of the texture, texels.
        height: of the texture, texels.
        backend: a key of `BACKENDS` or "auto".
    """
    _, module = choose(backend)
    uvs, faces = _checked(uvs, faces, 2)
    return module.rasterize_uv(uvs, faces, width, height)


def _checked(points: np.ndarray, faces: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Contiguous float64 points and int32 faces; BadInput where a kernel would read outside its arrays."""
    points = np.ascontiguousarray(points, np.float64)
    faces = np.ascontiguousarray(faces, np.int32)
    if points.ndim != 2 or points.shape[1] != dimension or faces.ndim != 2 or faces.shape[1] != 3:
        raise BadInput(
            f"cannot rasterise points {points.shape} with faces {faces.shape}; expected (N, {dimension}), (F, 3)"
        )
    if faces.size and (faces.min() < 0 or faces.max() >= len(points)):
        raise BadInput(f"faces index points {faces.min()}..{faces.max()}, but there are {len(points)}")
    if not np.isfinite(points).all():
        raise BadInput("cannot rasterise points that are not finite (NaN or infinity)")
    return points, faces
