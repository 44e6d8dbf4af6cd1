"""The differentiable rasteriser by nvdiffrast (Laine et al. 2020) on CUDA; its licence forbids commercial use.

Takes the official package (0.4 and newer, compiled when it is installed) and the fork diffrp-nvdiffrast of PyPI
(0.3.3, compiled when it is first used). Only silhouette edges of the triangle that a pixel sees count here, so in a
mesh of triangles much smaller than a pixel most of the silhouette has no gradient; `antialias` follows it further.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import torch

from zero123pp.recon.ops.raster.antialias import to_screen
from zero123pp.types import Camera

_NEAR, _FAR = 0.02, 50.0
"""Clipping planes, as multiples of the camera's distance from the origin."""


def cause() -> str | None:
    """Why it cannot be used here, or None."""
    from importlib.util import find_spec

    if not torch.cuda.is_available():  # before anything of it is touched: the fork would start a compiler
        return "torch sees no CUDA device"
    if find_spec("nvdiffrast") is None:
        return "nvdiffrast is not installed"
    try:
        _context(torch.cuda.current_device())
    except Exception as error:  # a compiler's failure can be any
        return f"nvdiffrast cannot be loaded ({' '.join(str(error).split())[:300]})"
    return None


class DifferentiableRasterizer:
    """Draws one mesh again and again."""

    def __init__(self, faces: torch.Tensor) -> None:
        """Prepare for faces (F, 3) on a CUDA device."""
        self._faces = faces.to(torch.int32).contiguous()
        self._library, self._raster = _context(faces.device.index or 0)
        self._topology = self._library.antialias_construct_topology_hash(self._faces)

    def __call__(
        self, vertices: torch.Tensor, values: torch.Tensor, camera: Camera
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As of `zero123pp.recon.ops.raster.antialias.DifferentiableRasterizer`; the picture is float32."""
        size = camera.height, camera.width
        clip = to_clip(vertices.float(), camera)[None].contiguous()  # (1, N, 4)
        seen, _ = self._library.rasterize(self._raster, clip, self._faces, size, grad_db=False)
        shown = torch.cat([values.float(), torch.ones_like(values[:, :1], dtype=torch.float32)], dim=1)
        picture, _ = self._library.interpolate(shown[None].contiguous(), seen, self._faces)
        picture = self._library.antialias(picture, seen, clip, self._faces, topology_hash=self._topology)
        return picture[0], seen[0, ..., 3].detach().long() - 1


def to_clip(vertices: torch.Tensor, camera: Camera) -> torch.Tensor:
    """Clip-space points (N, 4) of points (N, 3) in the world frame.

    nvdiffrast's first row is that of y = -w, so x and y grow as in our pictures and nothing has to be turned over.
    """
    screen = to_screen(vertices, camera)
    w = screen[:, 2:]
    xy = screen[:, :2] * screen.new_tensor([2 / camera.width, 2 / camera.height]) - w
    distance = max(float((camera.world_from_cam[:3, 3] ** 2).sum() ** 0.5), 1e-3)
    near, far = _NEAR * distance, _FAR * distance
    z = w * ((far + near) / (far - near)) - 2 * far * near / (far - near)
    return torch.cat([xy, z, w], dim=1)


@cache
def _context(device: int) -> tuple[ModuleType, object]:
    """Nvdiffrast's module, and a rasteriser on the CUDA device; compiles the fork when that was never done."""
    with _modules_registered():
        import nvdiffrast.torch as library

        return library, library.RasterizeCudaContext(device=device)


@contextmanager
def _modules_registered() -> Iterator[None]:
    """Modules that torch compiles or loads can be imported by name.

    The fork loads its module through torch and then imports it by name; torch 2.9 and newer no longer put it where
    that import looks.
    """
    import sys

    from torch.utils import cpp_extension

    originals = {name: getattr(cpp_extension, name) for name in ("load", "_import_module_from_library")}

    def registered(original: Callable) -> Callable:
        def wrapped(*args: object, **kwargs: object) -> object:
            module = original(*args, **kwargs)
            if isinstance(module, ModuleType):
                sys.modules.setdefault(module.__name__, module)
            return module

        return wrapped

    try:
        for name, original in originals.items():
            setattr(cpp_extension, name, registered(original))
        yield
    finally:
        for name, original in originals.items():
            setattr(cpp_extension, name, original)
