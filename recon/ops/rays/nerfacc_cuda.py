"""Marching and compositing by nerfacc's CUDA kernels (Li et al., "NerfAcc", ICCV 2023), version 0.5.3."""

from functools import cache

import torch
from torch import Tensor

from zero123pp.recon.ops.rays import EMPTY, SOLID

_MOST_OPAQUE = 1 - 1e-6
"""Its backward pass divides by 1 - alpha."""


def cause() -> str | None:
    """Why it cannot be used here, or None."""
    from importlib.util import find_spec

    if find_spec("nerfacc") is None:
        return "nerfacc is not installed"
    # Its first call starts a compiler wherever nvcc is found, device or not: asked before anything of it is touched.
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        _kernels()
    except Exception as error:  # a compiler's failure can be any
        return f"its CUDA kernels cannot be built ({' '.join(str(error).split())[:300]})"
    return None


@cache
def _kernels() -> object:
    """The compiled module of nerfacc, built by us: its own build fails under C++20, which torch asks for by default.

    `std::lerp` of C++20 collides with a function of its headers.
    """
    from pathlib import Path

    import nerfacc
    import nerfacc.cuda
    from torch.utils import cpp_extension

    folder = Path(nerfacc.__file__).parent / "cuda" / "csrc"
    module = cpp_extension.load(
        name="zero123pp_nerfacc",
        sources=[str(path) for path in sorted(folder.glob("*.cu")) + sorted(folder.glob("*.cpp"))],
        extra_include_paths=[str(folder / "include")],
        extra_cflags=["-O3", "-std=c++17"],
        extra_cuda_cflags=["-O3", "-std=c++17"],
    )
    # Its functions import `nerfacc.csrc` when they are first called.
    nerfacc.csrc = module
    import sys

    sys.modules["nerfacc.csrc"] = module
    return module


@torch.no_grad()
def march(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, state: Tensor, step: float, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """See `reference.march`."""
    _kernels()
    from nerfacc.grid import traverse_grids

    seeing = (far > near).nonzero().squeeze(1)
    start = near + (offset - 0.5) * step  # its samples are the middles of its steps
    _, samples, _ = traverse_grids(
        origins[seeing].contiguous(), directions[seeing].contiguous(),
        (state != EMPTY)[None].contiguous(), origins.new_tensor([[0.0, 0, 0, 1, 1, 1]]),
        near_planes=start[seeing].contiguous(), far_planes=far[seeing].contiguous(), step_size=step, cone_angle=0.0,
    )  # fmt: skip
    return _until_solid(seeing[samples.ray_indices], samples.vals, origins, directions, state)


def _until_solid(
    ray: Tensor, distance: Tensor, origins: Tensor, directions: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Without the samples behind the first one in a solid cell."""
    n = len(state)
    cell = ((origins[ray] + distance[:, None] * directions[ray]) * n).long().clamp_(0, n - 1)
    is_solid = (state[cell[:, 0], cell[:, 1], cell[:, 2]] == SOLID).long()
    upto = is_solid.cumsum(0) - is_solid
    number = torch.bincount(ray, minlength=len(origins))
    first = number.cumsum(0) - number
    kept = upto == upto[first[ray]] if len(ray) else is_solid.bool()
    return ray[kept], distance[kept]


def composite(alpha: Tensor, ray: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """See `reference.composite`."""
    _kernels()
    from nerfacc import accumulate_along_rays, render_weight_from_alpha

    weight, _ = render_weight_from_alpha(alpha.clamp(max=_MOST_OPAQUE), ray_indices=ray, n_rays=count)
    return weight, 1 - accumulate_along_rays(weight, None, ray_indices=ray, n_rays=count)[:, 0]
