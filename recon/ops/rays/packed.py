"""Marching and compositing of all rays at once in plain torch, on any device, with nothing compiled."""

import torch
from torch import Tensor

from zero123pp.recon.ops.rays import EMPTY, SOLID


@torch.no_grad()
def march(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, state: Tensor, step: float, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """See `reference.march`."""
    length = float((far - near).max()) if len(near) else 0.0
    steps = max(int(length / step) + 1, 1)
    distance = near[:, None] + (offset[:, None] + torch.arange(steps, device=near.device)) * step  # [R, K]
    n = len(state)
    points = origins[:, None] + distance[..., None] * directions[:, None]
    cell = (points * n).long().clamp_(0, n - 1)  # [R, K, 3]
    found = state.reshape(-1)[(cell[..., 0] * n + cell[..., 1]) * n + cell[..., 2]]
    is_solid = found == SOLID
    before = is_solid.cumsum(1) - is_solid.long()  # solids in front of each sample
    taken = (found != EMPTY) & (before == 0) & (distance < far[:, None])
    ray = torch.arange(len(near), device=near.device)[:, None].expand(-1, steps)
    return ray[taken], distance[taken]


def composite(alpha: Tensor, ray: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """See `reference.composite`."""
    number = torch.bincount(ray, minlength=count)
    first = number.cumsum(0) - number
    place = torch.arange(len(ray), device=ray.device) - first[ray]
    most = int(number.max()) if len(number) else 0
    # Shifted by one: entry k of a row is what passes sections 0 to k - 1.
    passes = alpha.new_ones(count, most + 1)
    passes = passes.index_put((ray, place + 1), 1 - alpha).cumprod(1)
    return passes[ray, place] * alpha, passes[:, -1]
