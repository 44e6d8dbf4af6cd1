"""The hash-grid field: its start, its slopes, and whole fits."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from balls import ball_views
from plane_field import LAYOUT, N, plane_field

from zero123pp.configs import load
from zero123pp.errors import BadInput, ConfigError
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.fitting.hash.config import HashConfig
from zero123pp.recon.fitting.hash.fit import Fitter, Start, _active_levels
from zero123pp.recon.fitting.hash.space import surface_states
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.ops.encoding import numba_cpu, reference
from zero123pp.recon.ops.field import rays as column
from zero123pp.recon.ops.field.neus import logistic, section_transmittance
from zero123pp.recon.ops.field.reference import section_alpha
from zero123pp.recon.ops.rays import EMPTY, SOLID, SURFACE


def test_a_new_field_is_its_base():
    field = plane_field(bumpy=0)
    points = torch.rand(50, 3, dtype=torch.float64) * (N - 1)
    expected = 0.6 * (points[:, 0] - 6.2) + 0.64 * (points[:, 1] - 5.9) + 0.48 * (points[:, 2] - 6.1)
    torch.testing.assert_close(field.distance(points), expected)
    distance, slope, color = field.surface(points)
    torch.testing.assert_close(distance, expected)
    torch.testing.assert_close(slope, torch.tensor([0.6, 0.64, 0.48]).double().expand(50, 3))
    assert ((color > 0) & (color < 1)).all()


def test_the_floor_holds_the_surface_back():
    field = plane_field(bumpy=0)
    with torch.no_grad():
        field.second.bias[0] = -20.0
    points = torch.rand(50, 3, dtype=torch.float64) * (N - 1)
    torch.testing.assert_close(
        field.distance(points),
        torch.tensor([0.6, 0.64, 0.48]).double() @ (points - torch.tensor([6.2, 5.9, 6.1]).double()).T - 5,
    )


@pytest.mark.parametrize("encoding", [reference, numba_cpu], ids=["reference", "numba"])
def test_slopes_written_out_are_those_of_automatic_differentiation(encoding):
    points = (torch.rand(40, 3, dtype=torch.float64) * (N - 1)).requires_grad_()
    oracle = plane_field(reference)
    encoded, _ = reference.encode(points / oracle.top, oracle.table, LAYOUT)
    correction = oracle.second(torch.nn.functional.softplus(oracle.first(encoded), 100.0))[:, 0]
    (expected,) = torch.autograd.grad(correction.sum(), points)
    expected = expected + torch.tensor([0.6, 0.64, 0.48]).double()
    torch.testing.assert_close(plane_field(encoding).surface(points.detach())[1], expected)


def test_opacity_of_sections_is_that_of_the_numpy_kernels():
    near, far = (torch.linspace(-3, 3, 41, dtype=torch.float64) for _ in range(2))
    far = far.flip(0)
    expected = 1 - section_transmittance(logistic(7.0 * near.numpy()), logistic(7.0 * far.numpy()))
    np.testing.assert_allclose(section_alpha(near, far, 7.0).numpy(), expected, atol=1e-12)


WEIGHTS = {"rgb": 3.0, "rgb_scale": 0.3, "mask": 0.4, "normal": 0.7}


def test_states_of_space_follow_the_field():
    field = plane_field(bumpy=0)
    space = surface_states(field, sharpness=4.0, reach=np.inf)
    centres = (np.stack(np.nonzero(np.ones(space.state.shape)), 1) + 0.5) * space.cell
    distance = field.distance(torch.from_numpy(centres)).detach().numpy()
    state = space.state.reshape(-1).numpy()
    assert (distance[state == EMPTY] > 5 / 4).all() and (distance[state == SOLID] < -5 / 4).all()
    assert (state[np.abs(distance) < 5 / 4] == SURFACE).all()
    assert len(space.near) and (field.distance(space.near.double()).abs() < space.cell).all()


SMALL = FitConfig(
    field="hash",
    levels=(24,),
    steps=20,
    hash=HashConfig(resolution=40, steps=60, rays=500, levels=6, finest=64, lr=1e-2),
)


def _error(field, radius=0.35):
    return np.abs(np.linalg.norm(extract(field).vertices, axis=1) - radius).mean()


@pytest.fixture(scope="module")
def ball():
    views = ball_views(size=64)
    return replace(views, views=tuple(replace(view, normal=None) for view in views.views))


def test_a_hash_field_finds_the_ball_inside_its_hull(ball):
    from_hull = replace(SMALL, hash=replace(SMALL.hash, start="hull"))
    untouched = fit(ball, replace(from_hull, hash=replace(from_hull.hash, steps=1)))
    fitted = fit(ball, from_hull)
    assert _error(fitted) < 0.5 * _error(untouched)
    assert fitted.sdf.shape == (40, 40, 40) and fitted.made_by.startswith("hash (encoding numba, rays packed, on cpu")


def test_it_improves_on_the_grid_that_it_starts_from(ball):
    coarse = fit(ball, replace(SMALL, field="grid"))
    assert _error(fit(ball, SMALL)) < _error(coarse)


def test_normals_of_the_views_are_followed():
    gray = ball_views(size=64, paint=lambda points: np.full_like(points, 0.5))
    plain = replace(gray, views=tuple(replace(view, normal=None) for view in gray.views))
    from_hull = replace(SMALL, hash=replace(SMALL.hash, start="hull"))
    assert _error(fit(gray, from_hull)) < 0.7 * _error(fit(plain, from_hull))


def test_the_same_seed_gives_the_same_field(ball):
    config = replace(SMALL, hash=replace(SMALL.hash, steps=5))
    one, two, other = fit(ball, config, seed=1), fit(ball, config, seed=1), fit(ball, config, seed=2)
    assert one.sdf.tobytes() == two.sdf.tobytes() and one.color.tobytes() == two.color.tobytes()
    assert one.sdf.tobytes() != other.sdf.tobytes()


def test_levels_join_one_by_one():
    config = HashConfig(levels=12, first_levels=6)
    assert [_active_levels(config, done) for done in (0, 0.25, 0.5, 1)] == [6, 9, 12, 12]
    assert _active_levels(HashConfig(levels=4, first_levels=6), 0) == 4


def test_a_field_may_start_as_a_sphere(ball):
    config = replace(SMALL.hash, start="sphere", steps=150, rays=1500, sharpness=1.0)
    fitted = fit(ball, replace(SMALL, hash=config))
    half = fitted.half_extent / 2
    assert _error(fitted) < 0.5 * abs(half - 0.35)


def test_rays_come_once_before_any_comes_again():
    sdf = np.ones((16, 16, 16), np.float32)
    table = np.zeros((10, column.RAY_SIZE), np.float32)
    start = Start(sdf, np.zeros((16, 16, 16, 3), np.float32), sdf, table)
    fitter = Fitter(start, HashConfig(rays=5, resolution=16), WEIGHTS)
    # The order of rays shows in no result.
    batches = [fitter._next_rays().tolist() for _ in range(4)]
    assert sorted(batches[0] + batches[1]) == sorted(batches[2] + batches[3]) == list(range(10))


def test_presets_and_flags_reach_the_hash_field():
    config = load(PipelineConfig, "default", ["fit.field=hash", "fit.hash.steps=7"])
    assert config.fit.field == "hash" and config.fit.hash.steps == 7
    with pytest.raises(ConfigError, match=r"fit\.hash\.resolution"):
        load(PipelineConfig, "default", ["fit.hash.resolution=8"])


def test_a_device_that_is_not_there_is_named(ball):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(BadInput, match="finds no CUDA device"):
        fit(ball, replace(SMALL, hash=replace(SMALL.hash, device="cuda")))


def test_the_default_fit_loads_neither_torch_nor_cuda_libraries():
    program = (
        "import sys; sys.path[:0] = ['tests/helpers']\n"
        "from balls import ball_views\n"
        "from zero123pp.recon.fitting.fit import FitConfig, fit\n"
        "fit(ball_views(size=32), FitConfig(levels=(16,), steps=2))\n"
        "print(sorted(m for m in ('torch', 'triton', 'nerfacc', 'tinycudann', 'nvdiffrast') if m in sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
