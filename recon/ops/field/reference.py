"""The maths of the fit in torch with automatic gradients: the specification of the kernels and their oracle in tests.

Slow and readable. Positions of samples are found without gradient, as in every renderer that marches; what is
differentiated is the opacity, colour and normal of the field at these samples. Lengths are in voxels.
"""

import torch
from torch import Tensor

from zero123pp.recon.ops.field import rays as kernel


def interpolate(grid: Tensor, points: Tensor) -> Tensor:
    """Trilinear interpolation of node values (n, n, n, ...) at points (P, 3) in units of nodes."""
    cell = points.detach().long().clamp(0, len(grid) - 2)  # [P, 3]
    u, v, w = (points - cell).unbind(-1)
    total = 0
    for i, wu in ((0, 1 - u), (1, u)):
        for j, wv in ((0, 1 - v), (1, v)):
            for k, ww in ((0, 1 - w), (1, w)):
                corner = grid[cell[:, 0] + i, cell[:, 1] + j, cell[:, 2] + k]  # [P, ...]
                total = total + (wu * wv * ww).reshape(-1, *[1] * (corner.ndim - 1)) * corner
    return total


def slope(grid: Tensor, points: Tensor) -> Tensor:
    """Gradient (P, 3) of the trilinear interpolant of node values (n, n, n)."""
    moving = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(interpolate(grid, moving).sum(), moving, create_graph=True)
    return gradient


def section_alpha(near: Tensor, far: Tensor, sharpness: Tensor | float) -> Tensor:
    """Opacity of sections of rays from the signed distances at their ends: NeuS, eq. 13.

    max((Phi(near) - Phi(far)) / Phi(near), 0), with Phi the logistic of sharpness times distance; the torch twin of
    `zero123pp.recon.ops.field.neus.section_transmittance`.
    """
    before, after = torch.sigmoid((sharpness * near).clamp(min=-60)), torch.sigmoid(sharpness * far)
    return ((before - after) / before).clamp(min=0)


@torch.no_grad()
def march(sdf: Tensor, ray: Tensor, settings: Tensor) -> Tensor:
    """Positions (S, 3) of the samples of one ray."""
    origin, direction = ray[kernel.ORIGIN : kernel.ORIGIN + 3], ray[kernel.DIRECTION : kernel.DIRECTION + 3]
    sharpness, step, share, longest = settings[: kernel.SKIP_MAX + 1]
    t, light, before, points = ray[kernel.NEAR].clone(), 1.0, None, []
    while t <= ray[kernel.FAR] and light >= kernel.OPAQUE:
        points.append((origin + t * direction).clamp(0, len(sdf) - 1))
        f = interpolate(sdf, points[-1][None])[0]
        cdf = torch.sigmoid(sharpness * f)
        if before is not None and cdf / before < 1 - kernel.LEAST_ALPHA:
            light *= float(cdf / before)
        before = cdf
        t += max(step, min(share * (f - kernel.BAND / sharpness), longest))
    return torch.stack(points) if points else sdf.new_zeros(0, 3)


def ray_losses(sdf: Tensor, color: Tensor, rays: Tensor, settings: Tensor) -> Tensor:
    """Sums (LOSSES,) of the weighted losses of rays (R, RAY_SIZE); sdf (n, n, n), color (n, n, n, 3)."""
    return torch.stack([_one_ray(sdf, color, ray, settings) for ray in rays]).sum(0)


def _one_ray(sdf: Tensor, color: Tensor, ray: Tensor, settings: Tensor) -> Tensor:
    points = march(sdf, ray, settings)
    distances = interpolate(sdf, points)  # [S]
    alpha = section_alpha(distances[:-1], distances[1:], settings[kernel.SHARPNESS])  # [S - 1]
    alpha = torch.where(alpha > kernel.LEAST_ALPHA, alpha, 0)
    light = torch.cumprod(torch.cat([alpha.new_ones(1), 1 - alpha]), 0)  # [S]
    weight = light[:-1] * alpha
    middle = 0.5 * (points[:-1] + points[1:])
    # Where the section meets the surface, or its end nearer to it; positions are found without gradient.
    fall = (distances[:-1] - distances[1:]).detach().clamp(min=1e-6)
    share = (distances[:-1].detach() / fall).clamp(0, 1)
    surface = points[:-1] + share[:, None] * (points[1:] - points[:-1])
    seen = weight >= kernel.LEAST_WEIGHT

    # Colour, against the pixel's own: what little light passes through the object is taken for the right colour.
    difference = interpolate(color, middle[seen]) - ray[kernel.COLOR : kernel.COLOR + 3]
    residual = (weight[seen, None] * difference).sum(0)
    scale = settings[kernel.RGB_SCALE]
    charbonnier = 2 * scale**2 * (torch.sqrt(1 + (residual**2).sum() / scale**2) - 1)
    rgb = settings[kernel.W_RGB] * ray[kernel.ALPHA] * charbonnier

    opacity = 1 - light[-1]
    mask = settings[kernel.W_MASK] * (opacity - ray[kernel.ALPHA]) ** 2

    off = ((slope(sdf, surface[seen]) - ray[kernel.NORMAL : kernel.NORMAL + 3]) ** 2).sum(-1)
    # The weights are constants here: a wrong normal is to turn the surface, not to make it vanish.
    normal = settings[kernel.W_NORMAL] * ray[kernel.NORMAL_WEIGHT] * (weight[seen].detach() * off).sum()
    return ray[kernel.WEIGHT] * torch.stack([rgb, mask, normal])


def node_losses(sdf: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Smoothness and slope: sums over the counted nodes (n, n, n) bool, which keep off the grid's faces.

    Returns the sum of the squared six-neighbour Laplacians, and of (|g| - 1)^2 with g the forward differences.
    """
    inner = sdf[1:-1, 1:-1, 1:-1]
    neighbours = (
        sdf[:-2, 1:-1, 1:-1] + sdf[2:, 1:-1, 1:-1] + sdf[1:-1, :-2, 1:-1] + sdf[1:-1, 2:, 1:-1]
        + sdf[1:-1, 1:-1, :-2] + sdf[1:-1, 1:-1, 2:]
    )  # fmt: skip
    chosen = counted[1:-1, 1:-1, 1:-1]
    laplacian = (neighbours - 6 * inner)[chosen]
    forward = torch.stack([sdf[2:, 1:-1, 1:-1] - inner, sdf[1:-1, 2:, 1:-1] - inner, sdf[1:-1, 1:-1, 2:] - inner], -1)[
        chosen
    ]
    length = torch.sqrt((forward**2).sum(-1) + 1e-12)
    return (laplacian**2).sum(), ((length - 1) ** 2).sum()
