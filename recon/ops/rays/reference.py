"""Marching and compositing ray by ray: the specification, slow and readable."""

import torch
from torch import Tensor

from zero123pp.recon.ops.rays import EMPTY, SOLID


@torch.no_grad()
def march(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, state: Tensor, step: float, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """Samples of rays where a surface may be.

    A ray looks at the distances ``near + (offset + k) step`` for k = 0, 1, ... while they are below ``far``. Where the
    cell is `SURFACE`, there is a sample; where it is `SOLID`, there is one more and the ray ends.

    Args:
        origins: (R, 3) in the unit cube's frame.
        directions: (R, 3), unit length.
        near: (R,) distance at which a ray begins; beyond ``far`` for rays that see nothing.
        far: (R,) distance at which it ends.
        state: (n, n, n) uint8 of equal cells that fill the unit cube, indexed [x, y, z].
        step: distance between neighbouring samples.
        offset: (R,) in [0, 1), shift of each ray's samples in steps.

    Returns:
        (S,) int64 rays of the samples, rising, and (S,) their distances, rising along each ray.
    """
    rays, distances = [], []
    for index in range(len(origins)):
        t = near[index] + offset[index] * step
        while t < far[index]:
            found = _state_at(origins[index] + t * directions[index], state)
            if found != EMPTY:
                rays.append(index)
                distances.append(t)
            if found == SOLID:
                break
            t = t + step
    return torch.tensor(rays, dtype=torch.int64), torch.stack(distances) if distances else near.new_zeros(0)


def _state_at(point: Tensor, state: Tensor) -> int:
    x, y, z = (point * len(state)).long().clamp(0, len(state) - 1).tolist()
    return int(state[x, y, z])


def composite(alpha: Tensor, ray: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """How much of the light that a ray receives comes from each section: w_i = alpha_i prod_(j < i) (1 - alpha_j).

    Differentiable with respect to alpha.

    Args:
        alpha: (S,) opacities, front to back along each ray.
        ray: (S,) int64 ray of each, rising.
        count: number of rays.

    Returns:
        (S,) weights and (count,) the share of light that passes the whole ray.
    """
    weights, passes = [], []
    for index in range(count):
        light = alpha.new_ones(())
        for a in alpha[ray == index]:
            weights.append(light * a)
            light = light * (1 - a)
        passes.append(light)
    return torch.stack(weights) if weights else alpha.new_zeros(0), torch.stack(passes)
