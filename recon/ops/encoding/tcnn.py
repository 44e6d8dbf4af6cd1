"""The hash encoding by tiny-cuda-nn's CUDA kernels (Mueller, "tiny-cuda-nn", 2021), in single precision."""

from functools import cache

import torch
from torch import Tensor

from zero123pp.recon.ops.encoding.differences import encode_with_differences
from zero123pp.recon.ops.encoding.layout import HashLayout

_STEP = 1e-3
"""Of the differences that stand for slopes, in units of the cube: it gives none that can be trained through."""


def cause() -> str | None:
    """Why it cannot be used here, or None."""
    from importlib.util import find_spec

    if find_spec("tinycudann") is None:
        return "tinycudann is not installed"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        import tinycudann  # noqa: F401
    except (ImportError, OSError) as error:  # built for another card, or for another torch
        return f"tinycudann does not load ({' '.join(str(error).split())})"
    return None


def encode(
    points: Tensor, table: Tensor, layout: HashLayout, active: int | None = None, slopes: bool = False
) -> tuple[Tensor, Tensor | None]:
    """See `reference.encode`; the points are constants, and slopes are central differences."""
    if active is not None and active < layout.levels:
        # The levels are the leading rows of the table and the leading columns of the result.
        coarse = HashLayout(active, layout.features, layout.log2_entries, layout.base, layout.growth)
        features, derivatives = encode(points, table[: coarse.entries], coarse, None, slopes)
        missing = layout.width - coarse.width
        pad = torch.nn.functional.pad
        return pad(features, (0, missing)), None if derivatives is None else pad(derivatives, (0, missing))

    def look_up(where: Tensor) -> Tensor:
        weights = {"params": table.reshape(-1)}
        return torch.func.functional_call(_module(layout, str(table.device)), weights, (where,))

    points = points.detach()
    return encode_with_differences(look_up, points, _STEP) if slopes else (look_up(points), None)


@cache
def _module(layout: HashLayout, device: str) -> torch.nn.Module:
    import tinycudann

    settings = {
        "otype": "HashGrid",
        "n_levels": layout.levels,
        "n_features_per_level": layout.features,
        "log2_hashmap_size": layout.log2_entries,
        "base_resolution": layout.base,
        "per_level_scale": layout.growth,
        "interpolation": "Linear",
    }
    module = tinycudann.Encoding(3, settings, dtype=torch.float32).to(device)
    if module.params.numel() != layout.entries * layout.features:
        raise RuntimeError(
            f"tinycudann has {module.params.numel()} parameters for a layout of {layout.entries} x {layout.features}"
        )
    return module
