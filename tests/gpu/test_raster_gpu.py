"""The differentiable rasterisers on CUDA against the reference on the processor, and refinement on a GPU."""

import numpy as np
import pytest
import torch
from shapes import icosphere
from waves import dented, rig_views

from zero123pp.cameras import orbit_camera
from zero123pp.errors import MissingBackend
from zero123pp.recon.ops import raster
from zero123pp.recon.ops.raster import antialias
from zero123pp.recon.refine import RefineConfig, refine

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]

CAMERA = orbit_camera(30, 20, 1.8660254, 30, 200)
SNAP_PX = 1 / 16
"""nvdiffrast's rasteriser snaps vertices to so many pixels, which moves a few pixels to another triangle."""


@pytest.fixture
def nvdr():
    try:
        return raster.choose_differentiable("nvdiffrast", "cuda")[1]
    except MissingBackend as error:
        pytest.skip(str(error))


def meshes():
    """Name -> vertices, faces, values: overlapping triangles, and closed surfaces of large and of small triangles."""
    rng = np.random.default_rng(0)
    soup = (rng.uniform(-0.35, 0.35, (40, 1, 3)) + rng.normal(0, 0.12, (40, 3, 3))).reshape(-1, 3)
    yield "soup", soup, np.arange(120).reshape(-1, 3), rng.uniform(0, 1, (120, 4))
    for subdivisions in (1, 3):
        ball = icosphere(subdivisions)
        bumpy = ball.vertices * rng.uniform(0.95, 1.05, (len(ball.vertices), 1))
        yield f"ball of {len(ball.faces)}", bumpy, ball.faces, rng.uniform(0, 1, (len(bumpy), 4))


def reference(vertices, faces, values, camera, reach):
    """Leaves, picture and visibility on the processor, in float64."""
    x, v = (torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in (vertices, values))
    triangles = torch.tensor(faces).long()
    seen = antialias.see(x, triangles, camera, "numba", reach)
    return x, v, antialias.shade(x, triangles, v, camera, seen), seen


@pytest.mark.parametrize("size", [(200, 200), (123, 77)], ids=["square", "odd sides"])
@pytest.mark.parametrize("mesh", list(meshes()), ids=lambda mesh: mesh[0])
def test_pictures_and_gradients_of_nvdiffrast_agree_with_the_reference(nvdr, mesh, size):
    """With the paper's rule for silhouettes (reach 0), which is nvdiffrast's, at all pixels that see the same."""
    _, vertices, faces, values = mesh
    camera = orbit_camera(30, 20, 1.8660254, 30, 200)
    if size != (200, 200):
        width, height = size
        camera = type(camera)(camera.world_from_cam, camera.fx / 2, camera.fy / 2, 60.0, 41.0, width, height)
    x, v, wanted, seen = reference(vertices, faces, values, camera, 0)
    gx, gv = (torch.tensor(each, dtype=torch.float32, device="cuda", requires_grad=True) for each in (vertices, values))
    triangles = torch.tensor(np.asarray(faces), device="cuda")
    found, face = nvdr.DifferentiableRasterizer(triangles)(gx, gv, camera)
    assert found.shape == wanted.shape
    assert (face.cpu() != seen.face).float().mean() < 0.02
    apart = (found.detach().cpu() - wanted.detach()).abs().amax(-1)
    borders = sum((seen.face != torch.roll(seen.face, 1, axis)).sum().item() for axis in (0, 1))
    same = apart < 5e-3
    assert (~same).sum() < 4 * SNAP_PX * borders, f"{(~same).sum()} pixels differ of {borders} at borders"
    # Gradients of the pixels that agree, and whose neighbours do: a blend reaches one pixel far.
    interior = -torch.nn.functional.max_pool2d(-same[None, None].float(), 3, 1, 1)[0, 0]
    weight = torch.tensor(np.random.default_rng(1).normal(size=wanted.shape)) * interior[..., None]
    expected = torch.autograd.grad((wanted * weight).sum(), (x, v))
    got = torch.autograd.grad((found * weight.cuda().float()).sum(), (gx, gv))
    for one, other in zip(got, expected):
        one = one.cpu().double()
        cosine = torch.nn.functional.cosine_similarity(one.reshape(-1), other.reshape(-1), dim=0)
        assert cosine > 0.99 and (one - other).norm() < 0.15 * other.norm()


@pytest.mark.parametrize("mesh", list(meshes()), ids=lambda mesh: mesh[0])
def test_torch_on_the_device_is_torch_on_the_processor(mesh):
    _, vertices, faces, values = mesh
    gradient = np.random.default_rng(2).normal(size=(200, 200, 5))
    arguments = vertices, faces, values, CAMERA, gradient, "torch"
    for one, other in zip(raster.draw_with_gradient(*arguments, "cpu"), raster.draw_with_gradient(*arguments, "cuda")):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(one).max())


@pytest.mark.parametrize("name", ["nvdiffrast", "torch"])
def test_refinement_on_the_device_goes_where_it_goes_on_the_processor(name):
    try:
        raster.choose_differentiable(name, "cuda")
    except MissingBackend as error:
        pytest.skip(str(error))
    views = rig_views(dented(3), 160)
    start = icosphere(3)
    here, there = (refine(start, views, RefineConfig(steps=20, backend=each)) for each in ("numba", name))
    assert there[1]["backend"] == name
    apart = np.linalg.norm(here[0].vertices - there[0].vertices, axis=1).mean()
    assert apart < (0.3 if name == "nvdiffrast" else 0.05) * here[1]["moved_mean"]
    assert there[1]["loss"][1] < 0.7 * there[1]["loss"][0]


def test_nobody_gets_nvdiffrast_without_asking():
    assert raster.choose_differentiable("auto", "cuda")[0] == "torch"
