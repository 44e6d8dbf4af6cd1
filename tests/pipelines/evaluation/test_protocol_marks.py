"""Marks of known answers: the truth itself, a smaller, a rougher, an open one."""

import numpy as np
import pytest
from ball_and_box import write_ball_and_box

from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, Protocol, TrueObject, measure_topology
from zero123pp.recon.meshing.parts import load_normalised
from zero123pp.rigs import RIGS
from zero123pp.types import Mesh

SPHERE = PROTOCOLS["sphere"]


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return write_ball_and_box(tmp_path_factory.mktemp("meshes"))


def test_held_out_cameras_are_none_of_a_rigs_and_see_the_whole_sphere():
    held_out = SPHERE.cameras()
    assert len(held_out) == 12
    for rig in RIGS.values():
        for camera in rig.cameras():
            towards = camera.world_from_cam[:3, 2]
            assert max(towards @ other.world_from_cam[:3, 2] for other in held_out) < np.cos(np.deg2rad(9))
    for camera in held_out:
        assert np.linalg.norm(camera.world_from_cam[:3, 3]) == pytest.approx(RIGS["v1.2"].distance)


def test_the_truth_itself_gets_the_best_marks(meshes):
    parts = load_normalised(meshes / "box.glb")
    truth = TrueObject(parts, SPHERE)
    surface = truth.measure_surface(parts[0])
    assert surface["CD"] < 0.006  # what is left is the spacing of the samples, sqrt(area / points) = 0.009
    assert surface["F0.02"] > 0.999 and surface["IoU"] == 1
    assert surface["NC"] > 0.98 and surface["NC_both"] > 0.98
    pictures = truth.measure_pictures(parts[0])
    assert pictures == {"PSNR": float("inf"), "SSIM": pytest.approx(1)}


def test_distances_are_in_units_of_a_sphere_of_radius_one(meshes):
    parts = load_normalised(meshes / "ball.glb")
    truth = TrueObject(parts, SPHERE)
    assert np.linalg.norm(truth.mesh.vertices, axis=1).max() == pytest.approx(0.97)
    smaller = Mesh(parts[0].vertices * 0.9, parts[0].faces)
    surface = truth.measure_surface(smaller)
    assert surface["CD"] == pytest.approx(0.097, abs=0.002)
    assert surface["IoU"] == pytest.approx(0.9**3, abs=0.01)


def test_a_worse_reconstruction_gets_worse_marks(meshes):
    parts, rng = load_normalised(meshes / "ball.glb"), np.random.default_rng(0)
    truth = TrueObject(parts, Protocol("small", points=10_000, grid=32, picture_px=128))

    def marks(roughness: float) -> dict[str, float]:
        vertices = parts[0].vertices
        rough = parts[0].with_vertices(vertices + rng.normal(0, roughness, vertices.shape))
        return truth.measure_surface(rough) | truth.measure_pictures(rough)

    slightly, badly = marks(0.003), marks(0.02)
    assert slightly["CD"] < badly["CD"]
    for name in ("F0.01", "F0.02", "IoU", "NC", "NC_both", "PSNR", "SSIM"):
        assert slightly[name] > badly[name], name


def test_topology_is_judged_as_welding_readers_see_it(meshes):
    box = load_normalised(meshes / "box.glb")[0]
    closed = {"watertight": 1, "manifold": 1, "components": 1, "faces": len(box.faces)}
    assert measure_topology(box) == closed
    assert measure_topology(Mesh(box.vertices, box.faces[1:]))["watertight"] == 0
