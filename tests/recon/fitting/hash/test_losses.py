"""Losses of the hash field and their gradients."""

import pytest
import torch
from plane_field import N, plane_field

from zero123pp.recon.fitting.hash.losses import Samples, ray_losses, shape_losses
from zero123pp.recon.ops.encoding import numba_cpu
from zero123pp.recon.ops.field import rays as column
from zero123pp.recon.ops.rays import packed


def rays_through(field, count=12):
    generator = torch.Generator().manual_seed(5)
    rays = torch.rand(count, column.RAY_SIZE, generator=generator, dtype=torch.float64)
    direction = torch.nn.functional.normalize(
        torch.tensor([-1.0, -1, -1]).double() + 0.3 * torch.rand(count, 3, generator=generator, dtype=torch.float64),
        dim=1,
    )
    rays[:, column.ORIGIN : column.ORIGIN + 3] = 11 + rays[:, :3]
    rays[:, column.DIRECTION : column.DIRECTION + 3] = direction
    rays[:, column.NORMAL : column.NORMAL + 3] = torch.tensor([0.6, 0.64, 0.48]).double()
    distance = torch.linspace(2, 15, 14, dtype=torch.float64)
    points = rays[:, None, :3] + distance[:, None] * direction[:, None]
    ray = torch.arange(count)[:, None].expand(-1, len(distance))
    return rays, Samples(ray.reshape(-1), points.reshape(-1, 3).clamp(0, N - 1))


WEIGHTS = {"rgb": 3.0, "rgb_scale": 0.3, "mask": 0.4, "normal": 0.7}


@pytest.mark.parametrize("name", ["rgb", "mask", "normal"])
def test_gradients_of_the_losses_by_the_table(name):
    """Finite differences against automatic ones; crossings are constants, so they are held in the numeric ones too."""
    field = plane_field(numba_cpu)
    rays, samples = rays_through(field)
    sharpness = torch.tensor(1.3, dtype=torch.float64)

    def loss():
        return ray_losses(field, rays, samples, sharpness, WEIGHTS, packed)[name]

    value = loss()
    (gradient,) = torch.autograd.grad(value, field.table)
    assert value > 0 and gradient.abs().max() > 0
    if name == "mask":  # no crossing enters it
        row, step = int(gradient.abs().sum(1).argmax()), 1e-6
        with torch.no_grad():
            field.table[row, 0] += step
            above = loss()
            field.table[row, 0] -= 2 * step
            below = loss()
        assert float((above - below) / (2 * step)) == pytest.approx(float(gradient[row, 0]), rel=1e-4, abs=1e-9)


def test_shape_losses_vanish_for_a_plane():
    field = plane_field(bumpy=0)
    points = torch.rand(60, 3, dtype=torch.float64) * 8 + 2
    found = shape_losses(field, points, torch.full_like(points, 0.4))
    assert found["eikonal"] < 1e-6 and found["smooth"] < 1e-12
