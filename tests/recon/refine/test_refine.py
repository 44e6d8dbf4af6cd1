"""Mesh refinement: it brings a mesh closer to the truth, repeats itself, and is refused where it cannot work."""

import subprocess
import sys
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
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.meshing.topology import is_sound
from zero123pp.recon.refine import RefineConfig, refine, wanted
from zero123pp.recon.refine.guard import held_back
from zero123pp.recon.refine.intersections import intersecting_faces
from zero123pp.recon.texturing.texture import TextureConfig
from zero123pp.types import Mesh, MultiView


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


@pytest.mark.quick
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
