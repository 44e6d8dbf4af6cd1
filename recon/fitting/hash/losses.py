"""Losses of a batch of rays through a hash field: those of the dense fit."""

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from zero123pp.recon.fitting.hash.field import HashField
from zero123pp.recon.ops.field import rays as column
from zero123pp.recon.ops.field import section_alpha


@dataclass(frozen=True)
class Samples:
    """Where a batch of rays looks at the field."""

    ray: Tensor
    """(S,) int64 row of the batch, rising."""
    points: Tensor
    """(S, 3) voxels."""


def ray_losses(
    field: HashField, rays: Tensor, samples: Samples, sharpness: Tensor, weights: dict[str, float],
    marcher: ModuleType,
) -> dict[str, Tensor]:  # fmt: skip
    """Mean losses of colours, silhouettes and normals over a batch of rays.

    Args:
        field: where they go through.
        rays: (R, RAY_SIZE), columns as in `zero123pp.recon.ops.field.rays`.
        samples: of the rays.
        sharpness: s of NeuS, 1/voxel.
        weights: "rgb", "rgb_scale", "mask" and "normal".
        marcher: a back-end of `zero123pp.recon.ops.rays`.
    """
    distance = field.distance(samples.points)
    same = samples.ray[1:] == samples.ray[:-1]
    section_ray = samples.ray[1:][same]
    near, far = distance[:-1][same], distance[1:][same]
    weight, passes = marcher.composite(section_alpha(near, far, sharpness), section_ray, len(rays))
    opacity = 1 - passes
    trust = rays[:, column.WEIGHT]

    seen = weight.detach() >= column.LEAST_WEIGHT
    crossing = _crossings(samples.points[:-1][same][seen], samples.points[1:][same][seen], near[seen], far[seen])
    _, slope, color = field.surface(crossing)
    ray, weight = section_ray[seen], weight[seen]

    target = rays[:, column.COLOR : column.COLOR + 3]
    residual = rays.new_zeros(len(rays), 3).index_add(0, ray, weight[:, None] * (color - target[ray]))
    scale = weights["rgb_scale"]
    charbonnier = 2 * scale**2 * (torch.sqrt(1 + (residual**2).sum(1) / scale**2) - 1)
    rgb = trust * rays[:, column.ALPHA] * charbonnier
    mask = trust * (opacity - rays[:, column.ALPHA]) ** 2
    off = ((slope - rays[ray, column.NORMAL : column.NORMAL + 3]) ** 2).sum(1)
    normal_trust = trust * rays[:, column.NORMAL_WEIGHT]
    normal = normal_trust * rays.new_zeros(len(rays)).index_add(0, ray, weight.detach() * off)
    return {
        "rgb": weights["rgb"] * rgb.mean(),
        "mask": weights["mask"] * mask.mean(),
        "normal": weights["normal"] * normal.mean(),
    }


def _crossings(near: Tensor, far: Tensor, f: Tensor, g: Tensor) -> Tensor:
    """Points (K, 3) where sections meet the surface, or their end nearer to it; without gradient."""
    f, g = f.detach(), g.detach()
    share = (f / (f - g).clamp(min=1e-6)).clamp(0, 1)
    return near + share[:, None] * (far - near)


def shape_losses(field: HashField, points: Tensor, apart: Tensor) -> dict[str, Tensor]:
    """What holds the field where rays say nothing, as means over points near the surface.

    ``eikonal``: (|g| - 1)^2 of the slopes g; ``smooth``: squared difference of the slopes at points ``apart``.

    Args:
        field: to be held.
        points: (P, 3) voxels, near the surface.
        apart: (P, 3) voxels, small random steps.
    """
    _, slope, _ = field.surface(torch.cat([points, points + apart]))
    here, there = slope.chunk(2)
    length = torch.sqrt((slope**2).sum(1) + 1e-12)
    return {
        "eikonal": ((length - 1) ** 2).mean(),
        "smooth": ((here - there) ** 2).sum(1).mean(),
    }
