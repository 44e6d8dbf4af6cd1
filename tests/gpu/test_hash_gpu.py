"""The CUDA back-ends of the hash field against the torch reference, and a whole fit on a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from balls import ball_views
from encoding_cases import LAYOUTS, assert_agrees
from march_cases import random_alphas, random_march

from zero123pp.errors import MissingBackend
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.fitting.hash.config import HashConfig
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.ops import encoding, rays
from zero123pp.recon.ops.rays import reference as rays_reference

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


def usable(family, name):
    try:
        return family.choose(name, "cuda")[1]
    except MissingBackend as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("name", ["triton", "reference"])
def test_encodings_agree_with_the_reference(name, slopes):
    module = usable(encoding, name)
    for layout in LAYOUTS.values():
        assert_agrees(module, layout, torch.float32, slopes=slopes, device="cuda", tolerance=1e-5)
    assert_agrees(
        module, LAYOUTS["dense and hashed"], torch.float32, active=3, slopes=slopes, device="cuda", tolerance=1e-5
    )


def test_tinycudann_agrees_with_the_reference():
    module = usable(encoding, "tinycudann")
    layout = encoding.HashLayout(levels=8, log2_entries=14, base=16, growth=1.5)
    for each in (layout, LAYOUTS["dense and hashed"]):
        assert_agrees(module, each, torch.float32, slopes=False, device="cuda", tolerance=1e-4)


@pytest.mark.parametrize("name", ["nerfacc", "packed"])
@pytest.mark.parametrize("seed", range(3))
def test_marchers_find_the_samples_of_the_reference(name, seed):
    module = usable(rays, name)
    *tensors, step, offset = random_march(seed)
    expected_ray, expected = rays_reference.march(*tensors, step, offset)
    ray, distance = module.march(*(t.cuda() for t in tensors), step, offset.cuda())
    ray, distance = ray.cpu(), distance.cpu()
    # Positions on the border of a cell may fall to either side in single precision.
    places = {(int(r), round(float(t) / step * 2)) for r, t in zip(ray, distance)}
    wanted = {(int(r), round(float(t) / step * 2)) for r, t in zip(expected_ray, expected)}
    assert len(wanted) > 20 and len(places ^ wanted) <= 0.02 * len(wanted)


@pytest.mark.parametrize("name", ["nerfacc", "packed"])
def test_compositing_agrees_with_the_reference(name):
    module = usable(rays, name)
    alpha, ray, count = random_alphas(dtype=torch.float32)
    alpha = (alpha.detach() * 0.98).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    asked = torch.rand(len(ray), generator=generator), torch.rand(count, generator=generator)
    results = []
    for composite, device in ((rays_reference.composite, "cpu"), (module.composite, "cuda")):
        on_device = alpha.detach().to(device).requires_grad_()
        weight, passes = composite(on_device, ray.to(device), count)
        total = (weight * asked[0].to(device)).sum() + (passes * asked[1].to(device)).sum()
        (gradient,) = torch.autograd.grad(total, on_device)
        results.append([weight, passes, gradient])
    for expected, found in zip(*results):
        torch.testing.assert_close(found.cpu(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "backends",
    [("triton", "packed"), ("reference", "packed"), ("tinycudann", "nerfacc"), ("auto", "auto")],
    ids="+".join,
)
def test_a_whole_fit(backends):
    usable(encoding, backends[0]), usable(rays, backends[1])
    views = ball_views(size=96)
    views = replace(views, views=tuple(replace(view, normal=None) for view in views.views))
    hashed = HashConfig(
        resolution=64, steps=150, rays=4096, lr=1e-2, device="cuda", encoding=backends[0], rays_backend=backends[1]
    )
    config = FitConfig(field="hash", levels=(24,), steps=40, hash=hashed)

    def error(field):
        return np.abs(np.linalg.norm(extract(field).vertices, axis=1) - 0.35).mean()

    grid, fitted = fit(views, replace(config, field="grid")), fit(views, config)
    assert "cuda" in fitted.made_by and error(fitted) < 0.6 * error(grid)
