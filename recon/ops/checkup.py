"""A quick check of every back-end against its family's reference, on small random data: seconds, not minutes."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from zero123pp.recon.ops import choice, encoding, raster, rays


@dataclass(frozen=True)
class Family:
    """A family of back-ends, and how to try one."""

    title: str
    backends: choice.Backends
    error: Callable[[str, str], float]
    """(name, device) -> largest difference from the reference, relative to its largest value."""


def _encoding_error(name: str, device: str) -> float:
    import torch

    layout = encoding.HashLayout(levels=8, log2_entries=14, base=16, growth=1.5)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(4096, 3, generator=generator)
    table = torch.randn(layout.entries, layout.features, generator=generator)
    results = []
    for backend, place in (("reference", "cpu"), (name, device)):
        entries = table.to(place).requires_grad_()
        features, _ = encoding.choose(backend, place)[1].encode(points.to(place), entries, layout)
        (gradient,) = torch.autograd.grad(features.square().sum(), entries)
        results.append((features.detach().cpu(), gradient.cpu()))
    return max(_relative(found, expected) for found, expected in zip(results[1], results[0]))


def _rays_error(name: str, device: str) -> float:
    import torch

    generator = torch.Generator().manual_seed(0)
    state = torch.full((8, 8, 8), rays.EMPTY, dtype=torch.uint8)
    state[3:5], state[5:] = rays.SURFACE, rays.SOLID
    origins = torch.rand(64, 3, generator=generator) * torch.tensor([0.0, 1, 1])
    ahead = torch.tensor([[1.0, 0, 0]]).expand(64, 3)
    alphas = torch.rand(64 * 40, generator=generator) * 0.9
    results = []
    for backend, place in (("reference", "cpu"), (name, device)):
        module = rays.choose(backend, place)[1]
        zero = torch.zeros(64, device=place)
        ray, distance = module.march(
            origins.to(place), ahead.to(place), zero, zero + 1, state.to(place), 0.021, zero + 0.37
        )
        alpha = alphas[: len(ray)].to(place).requires_grad_()
        weight, passes = module.composite(alpha, ray, 64)
        (gradient,) = torch.autograd.grad(weight.square().sum() + passes.sum(), alpha)
        results.append([part.detach().cpu() for part in (distance, weight, passes, gradient)])
    return max(_relative(found, expected) for found, expected in zip(results[1], results[0]))


def _raster_error(name: str, device: str) -> float:
    from zero123pp.rigs import get_rig

    random = np.random.default_rng(0)
    vertices, faces = random.normal(0, 0.2, (60, 3)), random.integers(0, 60, (40, 3))
    camera = get_rig("v1.2").cameras(64)[0]
    expected, found = (raster.rasterize(vertices, faces, camera, backend) for backend in ("numba", name))
    if (expected.face != found.face).mean() > 0.005:  # pixels on an edge may fall to either side
        return 1.0
    same = expected.face == found.face
    return _relative(found.depth[same], expected.depth[same])


def _differentiable_error(name: str, device: str) -> float:
    from zero123pp.rigs import get_rig

    random = np.random.default_rng(0)
    vertices = (random.uniform(-0.3, 0.3, (8, 1, 3)) + random.normal(0, 0.15, (8, 3, 3))).reshape(-1, 3)
    faces, values = np.arange(24).reshape(8, 3), random.uniform(0, 1, (24, 3))
    camera = get_rig("v1.2").cameras(64)[0]
    gradient = random.normal(size=(64, 64, 4))
    found = raster.draw_with_gradient(vertices, faces, values, camera, gradient, name, device)
    if find_spec("torch") is None:  # no reference; but a picture is linear in its values, whatever else it is
        picture, _, of_values = found
        return _relative((of_values * values).sum(), (picture * gradient)[..., :3].sum())
    expected = raster.draw_with_gradient(vertices, faces, values, camera, gradient, "torch")
    if name == "nvdiffrast":  # it snaps vertices to 1/16 px, so single pixels may see another triangle
        return float(np.median(np.abs(found[0] - expected[0])[expected[0][..., -1] > 0]))
    return max(_relative(*pair) for pair in zip(found, expected))


def _relative(found, expected) -> float:
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1e-12))


FAMILIES = (
    Family("rasteriser", raster.BACKENDS, _raster_error),
    Family("differentiable rasteriser", raster.DIFFERENTIABLE, _differentiable_error),
    Family("hash encoding", encoding.BACKENDS, _encoding_error),
    Family("rays of the hash field", rays.BACKENDS, _rays_error),
)
"""The families, in the order in which they are reported."""
