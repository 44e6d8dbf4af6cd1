"""Marching and compositing: laws of the reference, and the back-end that needs nothing compiled against it."""

import pytest
import torch
from march_cases import random_alphas, random_march

from zero123pp.errors import MissingBackend
from zero123pp.recon.ops.rays import EMPTY, SOLID, SURFACE, choose, packed, reference


def test_samples_lie_where_a_surface_may_be_and_end_at_the_solid():
    state = torch.full((4, 4, 4), EMPTY, dtype=torch.uint8)
    state[1], state[2], state[3] = SURFACE, SOLID, SURFACE
    origins, directions = torch.tensor([[0.0, 0.5, 0.5]]), torch.tensor([[1.0, 0, 0]])
    zero, one = torch.zeros(1), torch.ones(1)
    ray, distance = reference.march(origins, directions, zero, one, state, 0.1, zero + 0.5)
    assert ray.tolist() == [0, 0, 0, 0]  # the last is the first in the solid
    torch.testing.assert_close(distance, torch.tensor([0.25, 0.35, 0.45, 0.55]), atol=1e-6, rtol=0)
    state[2] = SURFACE
    _, through = reference.march(origins, directions, zero, one, state, 0.1, zero + 0.5)
    torch.testing.assert_close(through, torch.arange(0.25, 1.0, 0.1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_packed_marches_as_the_reference(seed):
    case = random_march(seed)
    expected_ray, expected = reference.march(*case)
    ray, distance = packed.march(*case)
    assert len(ray) > 20 and torch.equal(ray, expected_ray)
    torch.testing.assert_close(distance, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", [reference, packed], ids=["reference", "packed"])
def test_light_is_shared_out_without_loss(backend):
    alpha, ray, count = random_alphas()
    weight, passes = backend.composite(alpha, ray, count)
    total = torch.zeros(count, dtype=weight.dtype).index_add(0, ray, weight) + passes
    torch.testing.assert_close(total, torch.ones_like(total))
    assert passes[1] == 1 and passes[5] == 0


def test_packed_composites_as_the_reference():
    alpha, ray, count = random_alphas()
    asked = torch.rand(len(ray), dtype=alpha.dtype), torch.rand(count, dtype=alpha.dtype)
    results = []
    for backend in (reference, packed):
        weight, passes = backend.composite(alpha, ray, count)
        (gradient,) = torch.autograd.grad((weight * asked[0]).sum() + (passes * asked[1]).sum(), alpha)
        results.append((weight, passes, gradient))
    for expected, found in zip(*results):
        torch.testing.assert_close(found, expected)


def test_gradients_of_compositing():
    alpha, ray, count = random_alphas()
    inner = (alpha.detach() * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: packed.composite(a, ray, count), inner)


def test_no_sections_at_all():
    none = torch.zeros(0)
    weight, passes = packed.composite(none, torch.zeros(0, dtype=torch.int64), 3)
    assert weight.shape == (0,) and passes.tolist() == [1, 1, 1]


def test_auto_takes_plain_torch_on_a_cpu():
    assert choose("auto", "cpu") == ("packed", packed)
    with pytest.raises(MissingBackend, match=r"nerfacc.*cuda"):
        choose("nerfacc", "cpu")
