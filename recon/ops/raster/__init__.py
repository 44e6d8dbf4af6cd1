"""Rasterisers: which triangle does each pixel see, and where on it?

One module per back-end, each with ``rasterize(vertices, faces, camera) -> Fragments`` and
``rasterize_uv(uvs, faces, width, height) -> Fragments``. ``zbuffer`` (Numba) is the reference; the others are tested
against it. A new back-end is one file and one line in `BACKENDS`.

Differentiable ones are in `DIFFERENTIABLE`, see `draw_with_gradient`; ``antialias`` (torch) is their reference.
"""

from types import ModuleType

import lazy_loader
import numpy as np

from zero123pp.errors import BadInput
from zero123pp.recon.ops.choice import first_usable
from zero123pp.recon.ops.raster.fragments import Fragments
from zero123pp.types import Camera

_lazily, _, _handed_on = lazy_loader.attach(
    __name__,
    submodules=["fused"],
    submod_attrs={"crossings": ["edge_neighbours"], "zbuffer": ["screen_points", "screen_points_backward"]},
)
__all__ = [
    "BACKENDS",
    "DIFFERENTIABLE",
    "Fragments",
    "choose",
    "choose_differentiable",
    "draw_with_gradient",
    "rasterize",
    "rasterize_uv",
    *_handed_on,
]
__getattr__ = _lazily


def __dir__() -> list[str]:
    return sorted(__all__)


BACKENDS = {
    "numba": ("zero123pp.recon.ops.raster.zbuffer", "any", "pip install numba"),
    "embree": ("zero123pp.recon.ops.raster.embree", "any", "pip install embreex"),
}
"""Name -> (module, kind of device it is for, how to install what it needs), in the order in which ``auto`` tries."""

DIFFERENTIABLE = {
    "numba": ("zero123pp.recon.ops.raster.fused", "cpu", "pip install numba"),
    "torch": ("zero123pp.recon.ops.raster.antialias", "any", "pip install 'zero123pp[diffusion]' (torch)"),
    "nvdiffrast": (
        "zero123pp.recon.ops.raster.nvdr", "cuda",
        "install nvdiffrast as docs/gpu.md says (its licence allows non-commercial use only)",
    ),
}  # fmt: skip
"""Differentiable rasterisers: name -> (module, kind of device it is for, how to install what it needs), in the order in
which ``auto`` tries them. nvdiffrast comes last, so that nobody gets it without asking: its licence forbids commercial
use, and it follows silhouettes of fine meshes less well."""


def choose(name: str = "auto") -> tuple[str, ModuleType]:
    """The back-end called ``name``, or for "auto" the first that loads: its name and its module.

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: its library cannot be imported; the message has the install line.
    """
    return first_usable("rasteriser", BACKENDS, name, "cpu")


def choose_differentiable(name: str = "auto", device: str = "cpu") -> tuple[str, ModuleType]:
    """The differentiable rasteriser called ``name``, or for "auto" the first that works on ``device``, and its module.

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: it cannot be used here; the message has the cause and the install line.
    """
    return first_usable("differentiable rasteriser", DIFFERENTIABLE, name, device)


def draw_with_gradient(
    vertices: np.ndarray, faces: np.ndarray, values: np.ndarray, camera: Camera, gradient: np.ndarray,
    backend: str = "auto", device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """An anti-aliased picture of vertex values, and the derivatives of sum(picture * gradient).

    The same call for every back-end, to compare them; `zero123pp.recon.refine` keeps data on their device instead.

    Args:
        vertices: (N, 3) world frame.
        faces: (F, 3) vertex indices.
        values: (N, C) interpolated over the triangles.
        camera: the viewer.
        gradient: (H, W, C + 1).
        backend: a key of `DIFFERENTIABLE` or "auto".
        device: where to draw, such as "cpu" or "cuda:0".

    Returns:
        picture (H, W, C + 1), the values premultiplied by coverage and the coverage; derivatives by the vertices
        (N, 3) and by the values (N, C).
    """
    name, module = choose_differentiable(backend, device)
    vertices, faces = _checked(vertices, faces, 3)
    if name == "numba":
        return module.draw_with_gradient(vertices, faces, values, camera, gradient)
    import torch

    x, v = (torch.tensor(each, device=device, requires_grad=True) for each in (vertices, values))
    picture, _ = module.DifferentiableRasterizer(torch.tensor(faces, device=device))(x, v, camera)
    wanted = torch.as_tensor(gradient, dtype=picture.dtype, device=device)
    found = torch.autograd.grad((picture * wanted).sum(), (x, v))
    return picture.detach().cpu().numpy(), *(each.cpu().numpy() for each in found)


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
