"""Layouts and random tables of the hash encoding, and the comparison of a back-end with the reference."""

import torch

from zero123pp.recon.ops.encoding import HashLayout, reference

LAYOUTS = {
    "dense and hashed": HashLayout(levels=6, log2_entries=8, base=4, growth=1.5),
    "four features": HashLayout(levels=3, features=4, log2_entries=6, base=3, growth=1.9),
    "one level": HashLayout(levels=1, features=1, log2_entries=14, base=16, growth=1.0),
}


def random_case(layout, dtype=torch.float64, points=300):
    generator = torch.Generator().manual_seed(3)
    where = torch.rand(points, 3, generator=generator, dtype=dtype)
    where[:8] = torch.tensor([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=dtype)  # the corners
    table = torch.randn(layout.entries, layout.features, generator=generator, dtype=dtype)
    return where, table.requires_grad_()


def assert_agrees(backend, layout, dtype, *, active=None, slopes, device="cpu", tolerance=1e-9, points=5000):
    where, table = random_case(layout, dtype, points)
    generator = torch.Generator().manual_seed(4)
    asked = torch.randn(points, layout.width, generator=generator, dtype=dtype)
    asked_slopes = torch.randn(points, 3, layout.width, generator=generator, dtype=dtype)
    results = []
    for encode, place in ((reference.encode, "cpu"), (backend.encode, device)):
        on_device = table.detach().to(place).requires_grad_()
        features, derivatives = encode(where.to(place), on_device, layout, active, slopes)
        total = (features * asked.to(place)).sum()
        if slopes:
            total = total + (derivatives * asked_slopes.to(place)).sum()
        (gradient,) = torch.autograd.grad(total, on_device)
        results.append([features, gradient, derivatives if slopes else features])
    for expected, found in zip(*results):
        scale = expected.abs().max().item()
        torch.testing.assert_close(found.cpu(), expected, atol=tolerance * scale, rtol=0)
