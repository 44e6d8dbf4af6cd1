"""Mesh refinement: its gradients, its smooth steps, its guard, and that it brings a mesh closer to the truth."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from paths import ROOT
from shapes import box, icosphere, painted
from waves import dented, rig_views

from zero123pp.errors import ConfigError, MissingBackend, StageFailed
from zero123pp.images import to_uint8
from zero123pp.pipelines.reconstruct import ReconstructionConfig, reconstruct
from zero123pp.recon.fitting.fit import FitConfig
from zero123pp.recon.meshing.clean import CleanConfig
from zero123pp.recon.meshing.normals import face_normals, smooth_normals
from zero123pp.recon.meshing.topology import is_sound
from zero123pp.recon.ops.resample import shrunk
from zero123pp.recon.refine import RefineConfig, refine, wanted
from zero123pp.recon.refine.descent import Adam, SmoothDescent
from zero123pp.recon.refine.face_normals import normal_loss, normal_sums
from zero123pp.recon.refine.guard import held_back
from zero123pp.recon.refine.intersections import intersecting_faces
from zero123pp.recon.refine.objective import make_objective
from zero123pp.recon.refine.target import make_target
from zero123pp.recon.texturing.texture import TextureConfig
from zero123pp.types import Mesh, MultiView

RNG = np.random.default_rng(0)


def test_the_loss_of_face_normals_and_its_derivative():
    ball = icosphere(2)
    vertices = ball.vertices.astype(float) + RNG.normal(0, 0.01, ball.vertices.shape)
    seen = RNG.integers(-1, len(ball.faces), (9, 7)).astype(np.int32)
    normal = RNG.normal(size=(9, 7, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    weight, sums = RNG.uniform(0, 1, (9, 7)) * (RNG.uniform(size=(9, 7)) > 0.2), np.zeros((len(ball.faces), 4))
    normal_sums(seen, normal, weight, sums)

    def loss(vertices):  # pixel by pixel
        return (weight * ((face_normals(vertices, ball.faces)[seen] - normal) ** 2).sum(-1))[seen >= 0].sum()

    found, gradient = normal_loss(vertices, ball.faces, sums)
    assert found == pytest.approx(loss(vertices))
    direction = RNG.normal(size=vertices.shape)
    ends = [loss(vertices + sign * 1e-6 * direction) for sign in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("normals", [False, True])
def test_the_objective_is_that_of_automatic_differentiation(normals):
    pytest.importorskip("torch")
    from zero123pp.recon.ops.raster import antialias
    from zero123pp.recon.refine.torch_objective import TorchObjective

    views, ball, config = rig_views(dented(), 64, normals)[:2], icosphere(3), RefineConfig(pixels=48)
    vertices, colors = ball.vertices.astype(float), RNG.uniform(0.2, 0.8, ball.vertices.shape)
    with ThreadPoolExecutor(2) as pool:
        name, objective = make_objective(ball.faces, views, config, pool)
        found = objective(vertices, colors)
    assert name == "numba"
    targets = [make_target(shrunk(view, 64 / 48), config) for view in views]
    reference = TorchObjective(targets, ball.faces, antialias.DifferentiableRasterizer, "cpu", "float64")(
        vertices, colors
    )
    assert found[0] == pytest.approx(reference[0], rel=1e-4)
    for one, other in zip(found[1:], reference[1:]):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


def test_with_torch_it_ends_where_it_ends_without():
    pytest.importorskip("torch")
    views = rig_views(dented(3), 64)
    results = [refine(icosphere(3), views, RefineConfig(steps=8, backend=name)) for name in ("numba", "torch")]
    assert [report["backend"] for _, report in results] == ["numba", "torch"]
    apart = np.linalg.norm(results[0][0].vertices - results[1][0].vertices, axis=1)
    assert results[0][1]["moved_mean"] > 20 * apart.mean()


def test_a_missing_rasteriser_says_why_and_what_to_do():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("nvdiffrast may work here")
    with pytest.raises(MissingBackend, match=r"nvdiffrast.*for cuda and this is cpu"):
        refine(icosphere(2), rig_views(icosphere(2), 24), RefineConfig(backend="nvdiffrast"))


def test_torch_is_not_loaded_without_need():
    code = (
        "import sys; sys.path[:0] = ['.', 'tests/helpers']; import shapes, waves;"
        "from zero123pp.recon.refine import RefineConfig, refine;"
        "refine(shapes.icosphere(2), waves.rig_views(shapes.icosphere(2), 24), RefineConfig(steps=1));"
        "print([name for name in ('torch', 'nvdiffrast') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_smooth_steps_move_a_mesh_as_a_whole_or_in_patches():
    ball = icosphere(3)
    together = SmoothDescent(ball.vertices, ball.faces, 20.0)
    moved = together.step(np.tile([1.0, 0, 0], (len(ball.vertices), 1)), 0.01)
    np.testing.assert_allclose(moved - ball.vertices, np.tile([-0.01, 0, 0], (len(moved), 1)), atol=1e-9)
    force = np.zeros(ball.vertices.shape)
    force[0, 2] = 1.0
    moves = [
        -(SmoothDescent(ball.vertices, ball.faces, s).step(force, 0.01) - ball.vertices)[:, 2] for s in (0.0, 20.0)
    ]
    assert moves[0][0] == pytest.approx(0.01) and not moves[0][1:].any()
    neighbours = np.unique(ball.faces[(ball.faces == 0).any(1)])[1:]
    assert 0.6 < moves[1][neighbours].min() / moves[1][0] < 1.0  # a bump, not a spike
    still = SmoothDescent(ball.vertices, ball.faces, 20.0).step(np.zeros(ball.vertices.shape), 0.01)
    np.testing.assert_allclose(still, ball.vertices, atol=1e-12)


def test_adam_takes_steps_of_length_one_and_keeps_directions_when_uniform():
    gradient = np.array([[4.0, -2.0, 0.0]])
    np.testing.assert_allclose(Adam((1, 3)).direction(gradient), [[1, -1, 0]], atol=1e-9)
    np.testing.assert_allclose(Adam((1, 3), uniform=True).direction(gradient), [[1, -0.5, 0]], atol=1e-9)


def _pierces(p, q, triangle):
    """By solving p + t (q - p) = a + u (b - a) + v (c - a)."""
    a, b, c = triangle
    t, u, v = np.linalg.solve(np.stack([q - p, a - b, a - c], axis=1), a - p)
    return 0 < t < 1 and u > 0 and v > 0 and u + v < 1


def test_intersecting_faces_against_another_way():
    vertices = RNG.uniform(-1, 1, (60, 1, 3)) + RNG.normal(0, 0.25, (60, 3, 3))
    wanted_faces = np.zeros(60, bool)
    for f, one in enumerate(vertices):
        for g, other in enumerate(vertices):
            if f != g and any(_pierces(one[k], one[(k + 1) % 3], other) for k in range(3)):
                wanted_faces[[f, g]] = True
    assert 5 < wanted_faces.sum() < 55
    np.testing.assert_array_equal(
        intersecting_faces(vertices.reshape(-1, 3), np.arange(180).reshape(-1, 3)), wanted_faces
    )
    ball = icosphere(3)
    assert not intersecting_faces(ball.vertices, ball.faces).any()
    both = np.concatenate([ball.vertices, ball.vertices + np.array([0.5, 0.03, 0.02])])
    crossed = intersecting_faces(both, np.concatenate([ball.faces, ball.faces + len(ball.vertices)]))
    middle = both[np.concatenate([ball.faces, ball.faces + len(ball.vertices)])].mean(1)
    assert crossed.any() and np.abs(middle[crossed][:, 0] - 0.25).max() < 0.06  # a ring where the balls meet


def test_harmless_moves_are_kept_and_harmful_ones_held_back():
    ball = icosphere(3)
    grown, held = held_back(ball, 1.1 * ball.vertices)
    assert held == 0 and np.allclose(grown.vertices, 1.1 * ball.vertices)
    after = 1.02 * ball.vertices.astype(float)
    neighbours = np.unique(ball.faces[(ball.faces == 0).any(1)])
    after[0] += 3 * (ball.vertices[neighbours[1]] - ball.vertices[0])  # over its neighbour: faces turn over
    after[100] *= -1.5  # out of the other side
    repaired, held = held_back(ball, after)
    assert 2 <= held < 50 and is_sound(repaired)
    assert not intersecting_faces(repaired.vertices, repaired.faces).any()
    turn = (smooth_normals(repaired) * smooth_normals(ball)).sum(1)
    assert turn.min() > 0.5
    assert np.mean(np.linalg.norm(repaired.vertices - 1.02 * ball.vertices, axis=1) < 1e-6) > 0.9  # the rest went


def test_a_wall_is_not_pushed_through_the_other():
    plate = box(0.6, 16)
    thin = plate.with_vertices(plate.vertices * [1, 1, 0.05])
    after = thin.vertices.astype(float)
    top = (thin.vertices[:, 2] > 0.01) & (np.abs(thin.vertices[:, :2]).max(1) < 0.2)
    after[top, 2] -= 0.05
    mesh, held = held_back(thin, after)
    assert held >= top.sum() and is_sound(mesh) and not intersecting_faces(mesh.vertices, mesh.faces).any()


def test_refinement_finds_waves_that_normals_show():
    truth = dented()
    views = rig_views(truth, 128)
    start = Mesh(icosphere(4, 0.385).vertices, truth.faces)
    ticks = []
    mesh, report = refine(start, views, RefineConfig(steps=60, smoothness=1.0), progress=ticks.append)

    def error(mesh):  # along rays from the middle: the vertices of both balls started on the same ones
        direction = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
        radius = 0.38 + 0.03 * np.sin(9 * direction[:, 0]) * np.sin(9 * direction[:, 1])
        return np.abs(np.linalg.norm(mesh.vertices, axis=1) - radius).mean()

    assert error(mesh) < 0.4 * error(start)
    agreement = [(smooth_normals(each) * smooth_normals(truth)).sum(1).mean() for each in (start, mesh)]
    assert 1 - agreement[1] < 0.2 * (1 - agreement[0])
    assert report["loss"][1] < 0.2 * report["loss"][0] and report["backend"] == "numba"
    assert is_sound(mesh) and np.array_equal(mesh.faces, start.faces)
    assert ticks[-1] == 1 and len(ticks) == 60


def test_the_same_bytes_twice():
    views = rig_views(dented(3), 64)
    one, other = (refine(icosphere(3), views, RefineConfig(steps=6))[0] for _ in range(2))
    assert one.vertices.tobytes() == other.vertices.tobytes() and one.colors.tobytes() == other.colors.tobytes()


def test_colors_come_from_the_views():
    ball = icosphere(4)
    truth = Mesh(ball.vertices, ball.faces, to_uint8(painted(ball.vertices)))
    mesh, _ = refine(ball, rig_views(truth, normals=False), RefineConfig(steps=60, weight_rgb=1.0))
    error = np.abs(mesh.colors.astype(float) - truth.colors).mean(1)
    assert np.median(error) < 12


def test_views_of_any_sizes_without_normals_and_views_that_show_nothing():
    ball = icosphere(3)
    views = rig_views(ball, 48, normals=False)
    blank = replace(views[0], alpha=np.zeros_like(views[0].alpha))
    mixed = [*rig_views(ball, 100)[:2], *views[2:], blank, replace(views[3], confidence=0.0)]
    mesh, _ = refine(ball, mixed, RefineConfig(steps=3))
    assert np.abs(mesh.vertices - ball.vertices).max() < 0.02 and is_sound(mesh)
    with pytest.raises(StageFailed, match="none of 2 views"):
        refine(ball, [blank, replace(views[0], confidence=0.0)], RefineConfig(steps=3))


def test_when_it_is_wanted():
    views = rig_views(icosphere(2), 24)
    plain = [replace(view, normal=None) for view in views]
    distrusted = [replace(views[0], confidence=0.0), *plain]
    for use, expected in (("never", (False,) * 3), ("normals", (True, False, False)), ("always", (True,) * 3)):
        config = RefineConfig(use=use)
        assert tuple(wanted(each, config) for each in (views, plain, distrusted)) == expected


@pytest.mark.parametrize(
    "values",
    [{"steps": 0}, {"pixels": 8}, {"lr": 0.0}, {"lr": float("nan")}, {"smoothness": -1.0}, {"weight_rgb": -1.0}],
)
def test_bad_configs_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        RefineConfig(**values)


def test_in_the_pipeline_it_runs_where_there_are_normals():
    truth = dented(4)
    config = ReconstructionConfig(
        fit=FitConfig(levels=(32,), steps=40),
        clean=CleanConfig(faces=3000),
        refine=RefineConfig(steps=10, pixels=120),
        texture=TextureConfig(size=128),
    )
    for normals in (False, True):
        made = reconstruct(MultiView(tuple(rig_views(truth, 120, normals)), "test"), config)
        assert ("refined" in made.mesh_report) == normals
        assert made.mesh_report["watertight"] and made.mesh_report["manifold"]
        assert made.mesh_report["watertight_with_seams"] and made.mesh_report["outward"]
