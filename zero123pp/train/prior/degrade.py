"""Pictures made worse on the fly: views that disagree as generated ones do, soft cutouts, noise."""

import torch
from torch.nn import functional

from zero123pp.train.prior.samples import Mode

_REFERENCE_PX = 320
WARP_PX = 4.5
"""Largest root mean square of a view's displacement, px of a 320 px tile."""


def degraded(pictures: torch.Tensor, mode: Mode, generator: torch.Generator) -> torch.Tensor:
    """Pictures (B, V, 7, S, S), premultiplied by alpha: half of the samples of several views get views that disagree.

    A photograph agrees with itself, so one-view samples are only blurred and made noisy.
    """
    batch, views = pictures.shape[:2]

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    if mode != "one":
        strength = (uniform(batch) * (uniform(batch) < 0.6)).repeat_interleave(views)
        flat = _warped(pictures.flatten(0, 1), WARP_PX * strength, generator)
        gain = 1 + 0.1 * strength[:, None, None, None] * (2 * uniform(batch * views, 1, 1, 1) - 1)
        flat[:, :3] *= gain
        pictures = flat.reshape(pictures.shape)
    blur = (uniform(batch) < 0.4).float() * uniform(batch)
    blur = blur[:, None, None, None, None]
    soft = functional.avg_pool2d(pictures.flatten(0, 1), 3, 1, 1).reshape(pictures.shape)
    pictures = pictures + blur * (soft - pictures)
    noise = 0.04 * uniform(batch, 1, 1, 1, 1) * torch.randn(pictures[:, :, :3].shape, generator=generator)
    rgb = (pictures[:, :, :3] + noise * pictures[:, :, 3:4]).clamp(0, 1)
    return torch.cat([rgb, pictures[:, :, 3:]], 2)


def _warped(flat: torch.Tensor, rms_px: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures (N, C, S, S) displaced by smooth fields whose components have this root mean square."""
    count, _, size, _ = flat.shape
    coarse = torch.randn(count, 2, 7, 7, generator=generator)
    field = functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)
    field = field / field.square().mean((1, 2, 3), keepdim=True).sqrt()
    field = field * (rms_px * 2 / _REFERENCE_PX)[:, None, None, None]
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], -1) + field.movedim(1, -1)
    return functional.grid_sample(flat, grid, align_corners=False)
