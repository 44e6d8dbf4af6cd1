"""The benchmarks compare like with like, and their other ways to a mesh work."""

import importlib.util
import json
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from paths import ROOT

from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.recon.meshing import topology
from zero123pp.recon.meshing.parts import normalise
from zero123pp.recon.ops.field import rays
from zero123pp.types import Mesh


@pytest.fixture(scope="module", autouse=True)
def _folder():
    """Scripts of the folder import one another by their bare names."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def brick():
    """A box with vertex colours in the object's sphere, and its views."""
    import trimesh

    mesh = trimesh.creation.box((3, 2, 1.6))
    for _ in range(4):
        mesh = mesh.subdivide()
    colors = np.round(127 + 110 * np.sin(6 * mesh.vertices)).astype(np.uint8)
    parts = normalise([Mesh(mesh.vertices, mesh.faces.astype(np.int32), colors)])
    return parts, ground_truth_views(parts, tile_px=128)


def _volume(mesh: Mesh) -> float:
    return topology.signed_volume(mesh)


def test_other_ways_to_a_mesh_work(brick):
    pytest.importorskip("pymeshlab")
    parts, views = brick
    methods = _script("methods")
    true = _volume(topology.outward(topology.welded(parts[0])))
    hull, depths = methods.visual_hull(views, parts), methods.poisson_from_true_depths(views, parts)
    again = methods.poisson_from_hull(views, parts)
    assert _volume(depths) == pytest.approx(true, rel=0.05)
    assert 0.95 * true < _volume(hull) < 1.6 * true
    assert _volume(again) == pytest.approx(_volume(hull), rel=0.05)


def test_vectorised_torch_is_the_reference_where_both_take_all_samples(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(rays, "OPAQUE", 0.0)  # the reference ends no ray early either
    from zero123pp.recon.ops.field import reference

    torch_fit = _script("torch_fit")
    n, rng = 16, np.random.default_rng(0)
    at = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1) - (n - 1) / 2
    sdf = (np.linalg.norm(at, axis=-1) - 4 + rng.normal(0, 0.1, (n, n, n))).astype(np.float32)
    color = rng.random((n, n, n, 3)).astype(np.float32)
    table = np.zeros((24, rays.RAY_SIZE), np.float32)
    origin = rng.normal(size=(24, 3))
    origin *= 20 / np.linalg.norm(origin, axis=1, keepdims=True)
    towards = rng.normal(0, 1.5, (24, 3)) - origin
    table[:, :3], table[:, 3:6] = origin + (n - 1) / 2, towards / np.linalg.norm(towards, axis=1, keepdims=True)
    table[:, rays.NEAR], table[:, rays.FAR], table[:, rays.WEIGHT], table[:, rays.ALPHA] = 12, 28, 1, 1
    table[:, rays.COLOR : rays.COLOR + 3] = rng.random((24, 3))
    settings = np.zeros(rays.SETTINGS_SIZE, np.float32)
    settings[[rays.SHARPNESS, rays.STEP, rays.SKIP_MAX]] = 4, 0.5, 4  # share of free space skipped: 0
    settings[[rays.W_RGB, rays.RGB_SCALE, rays.W_MASK]] = 1, 0.3, 0.4

    def gradients(losses):
        f, c = (torch.tensor(grid, requires_grad=True) for grid in (sdf, color))
        total = losses(f, c)
        total.sum().backward()
        return total.detach().numpy(), f.grad.numpy(), c.grad.numpy()

    rows = torch.from_numpy(table)
    ours = gradients(lambda f, c: torch_fit.batch_losses(f, c, rows, settings))
    theirs = gradients(lambda f, c: reference.ray_losses(f, c, rows, torch.from_numpy(settings)))
    for one, other in zip(ours, theirs):
        assert np.linalg.norm(one - other) < 1e-4 * np.linalg.norm(other)


def test_limits_are_in_order(brick):
    limits = _script("limits")
    points = np.random.default_rng(0).uniform(0, 31, (20_000, 3)).astype(np.float32)
    sdf = np.random.default_rng(1).random((32, 32, 32)).astype(np.float32)
    free, chained = (limits.interpolations_per_s(sdf, points, chained=wait) for wait in (False, True))
    assert 1e6 < chained < free
    assert limits.peak_flops_per_s(20_000) > 1e9
    assert limits.stream_bytes_per_s(16) > 1e8
    assert 5e8 < limits.cycles_per_s(1_000_000) < 8e9


def test_the_counted_work_is_that_of_the_kernel(brick):
    """Rays and samples of a march over a plane can be told in advance."""
    work = _script("kernel_work")
    n = 16
    sdf = np.broadcast_to((7.5 - np.arange(n))[:, None, None], (n, n, n)).astype(np.float32).copy()
    table = np.zeros((10, rays.RAY_SIZE), np.float32)
    table[:, :6], table[:, rays.FAR] = (0, 5, 5, 1, 0, 0), 15
    settings = np.zeros(rays.SETTINGS_SIZE, np.float32)
    settings[[rays.SHARPNESS, rays.STEP, rays.SKIP_MAX]] = 4, 0.5, 4
    points, counts = work._count(sdf.reshape(-1), n, table, np.arange(10, dtype=np.int32), settings, 60)
    per_ray = counts / 10
    # Samples 0, 0.5, ... until 1 % of the light is left, which is at f = -1.25 or so.
    depth = np.arange(0, 15, 0.5)
    cdf = 1 / (1 + np.exp(-4 * (7.5 - depth)))
    light = cdf / cdf[0]
    expected = int(np.argmax(light < rays.OPAQUE)) + 1
    assert per_ray[0] == 1 and per_ray[1] == expected and len(points) == 10 * expected
    passed = light[1:expected] / light[: expected - 1]
    assert per_ray[2] == (passed < 1 - rays.LEAST_ALPHA).sum()
    assert per_ray[4] == per_ray[2] + 1


def test_pages_hold_what_was_measured():
    benchmark = _script("recon")
    row = {key: 0.5 for key in benchmark.COLUMNS}
    rows = [
        {"object": "cow", "method": "ours", **row, "cpu_s": 2.0},
        {"object": "mug", "method": "ours", **row, "cpu_s": 4.0},
        {"object": "cow", "method": "torch, vectorised", **row, "cpu_s": 20.0},
        {"object": "mug", "method": "visual hull", "failed": "no volume"},
    ]
    page = benchmark.to_markdown({"command": "c", "machine": "m", "missing": ["x: y is not installed"], "rows": rows})
    assert "| ours | 3.00 |" in page and "| cow | torch, vectorised | 10 | 20.00 |" in page
    assert "mug, visual hull: no volume" in page and "Left out: x: y is not installed" in page


@pytest.mark.slow
def test_the_comparison_runs_as_a_command(brick, tmp_path, monkeypatch, capsys):
    import trimesh

    parts, _ = brick
    mesh = trimesh.Trimesh(parts[0].vertices, parts[0].faces, vertex_colors=parts[0].colors, process=False)
    mesh.export(tmp_path / "brick.glb")
    benchmark = _script("recon")
    ways = {"ours": benchmark.methods.ours(benchmark.load_fit("fast")), "visual hull": benchmark.methods.visual_hull}
    monkeypatch.setattr(benchmark, "available", lambda: (ways, []))
    small = replace(benchmark.PROTOCOLS["sphere"], points=5000, grid=16, picture_px=64)
    monkeypatch.setitem(benchmark.PROTOCOLS, "sphere", small)
    arguments = ["--meshes", str(tmp_path), "--torch-objects", "0", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["recon.py", *arguments])
    benchmark.main()
    result = json.loads((tmp_path / "out" / "recon.json").read_text())
    by_method = {row["method"]: row for row in result["rows"]}
    assert by_method["ours"]["CD"] < by_method["visual hull"]["CD"] + 0.005 and by_method["ours"]["cpu_s"] > 0
    assert "## Means over 1 objects" in (tmp_path / "out" / "recon.md").read_text()


def test_ten_illustrations_are_drawn_and_the_same_twice():
    drawn = _script("illustrations").illustrations()
    assert len(drawn) == 10
    for name, picture in drawn.items():
        share = (picture[..., 3] > 127).mean()
        assert picture.shape == (640, 640, 4) and 0.03 < share < 0.8, name
        assert picture[0, 0, 3] == 0
        assert (picture[picture[..., 3] == 255][:, :3].max(1) < 60).mean() > 0.005, name  # ink
    cap = drawn["mushroom"]
    assert np.array_equal(cap, _script("illustrations").illustrations()["mushroom"])


def test_steps_are_counted_as_the_step_cache_takes_them():
    from zero123pp.diffusion.step_cache import StepCache

    benchmark = _script("cpu_options")
    parts = {"fast 2 whole": 1.0, "fast 2 kept": 0.1, "fast 1 whole": 0.5, "fast 1 kept": 0.05}
    assert benchmark.seconds_of(parts) == pytest.approx(1)
    assert benchmark.seconds_of(parts, cache_interval=2) == pytest.approx(0.55)
    assert benchmark.seconds_of(parts, guidance_interval=(0.25, 0.75)) == pytest.approx(0.75)
    cache, total = StepCache(None, 3), 0.0
    for step in range(28):
        halves = 2 if 0.2 <= step / 28 < 0.8 else 1
        cache.begin(halves)
        total += parts[f"fast {halves} {'whole' if cache._since == 1 else 'kept'}"]
    both = benchmark.seconds_of(parts, guidance_interval=(0.2, 0.8), cache_interval=3)
    assert both == pytest.approx(total / 28)
