"""Alignments find the pose that was taken away, and never make a result worse."""

import numpy as np
import pytest
from shapes import box

from zero123pp.recon.metrics.alignment import ALIGNMENTS, Alignment, align_icp, align_shape, align_yaw, similarity
from zero123pp.recon.metrics.distances import chamfer, sample_surface, surface_distances
from zero123pp.types import Mesh


def _rotation(axis, degrees) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(np.deg2rad(degrees) * np.asarray(axis, float) / np.linalg.norm(axis)).as_matrix()


@pytest.fixture(scope="module")
def wedge() -> Mesh:
    """A shape without any symmetry."""
    mesh = box(1.0, 8)
    x, y, z = mesh.vertices.astype(float).T
    return mesh.with_vertices(np.stack([x * (1.2 + 0.6 * z + 0.3 * y), 0.6 * y + 0.2 * x, z * (0.9 + 0.4 * x)], 1))


def _chamfer(a: Mesh, b: Mesh) -> float:
    return chamfer(surface_distances(sample_surface(a, 8000, 5), sample_surface(b, 8000, 6)))


@pytest.mark.parametrize("degrees", [0, 3, 47, 181.5, 300])
def test_yaw_finds_a_turn_about_the_vertical_axis(wedge, degrees):
    turned = wedge.with_vertices(wedge.vertices @ _rotation((0, 1, 0), degrees).T)
    found = align_yaw(sample_surface(turned, 6000, 1), sample_surface(wedge, 6000, 2))
    left = _rotation((0, 1, 0), degrees)
    assert Alignment(rotation=found.rotation @ left).angle_deg < 0.5
    assert found.scale == 1 and not found.shift.any()
    assert _chamfer(found.mesh(turned), wedge) < 0.02


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (47, 0.8), (181.5, 1.3)])
def test_shape_finds_a_turn_and_a_scale(wedge, degrees, scale):
    left = _rotation((0, 1, 0), degrees)
    moved = wedge.with_vertices(scale * wedge.vertices @ left.T)
    found = align_shape(sample_surface(moved, 6000, 1), sample_surface(wedge, 6000, 2))
    assert Alignment(rotation=found.rotation @ left).angle_deg < 0.7
    assert found.scale == pytest.approx(1 / scale, rel=0.01) and not found.shift.any()
    assert _chamfer(found.mesh(moved), wedge) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_icp_finds_position_rotation_and_scale(wedge, seed):
    rng = np.random.default_rng(seed)
    rotation = _rotation((0, 1, 0), rng.uniform(0, 360)) @ _rotation(rng.standard_normal(3), 12)
    scale, shift = rng.uniform(0.85, 1.15), rng.uniform(-0.1, 0.1, 3)
    moved = wedge.with_vertices(scale * wedge.vertices @ rotation.T + shift)
    samples = sample_surface(moved, 6000, 1), sample_surface(wedge, 6000, 2)
    found = align_icp(*samples)
    assert found.scale * scale == pytest.approx(1, abs=0.01)
    assert Alignment(rotation=found.rotation @ rotation).angle_deg < 1
    assert np.linalg.norm(found.points(shift)) < 0.015
    floor = _chamfer(wedge, wedge)
    assert _chamfer(found.mesh(moved), wedge) < 1.15 * floor < 0.3 * _chamfer(moved, wedge)
    assert _chamfer(align_yaw(*samples).mesh(moved), wedge) > 1.5 * floor


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_no_alignment_worsens_what_is_aligned(wedge, name):
    found = ALIGNMENTS[name](sample_surface(wedge, 6000, 1), sample_surface(wedge, 6000, 2))
    assert found.angle_deg < 0.5 and abs(found.scale - 1) < 0.005
    assert _chamfer(found.mesh(wedge), wedge) < 1.05 * _chamfer(wedge, wedge)


def test_similarity_is_exact_on_exact_pairs_and_never_mirrors():
    rng = np.random.default_rng(3)
    points, rotation = rng.standard_normal((50, 3)), _rotation((1, 2, 3), 200)
    found = similarity(points, 0.7 * points @ rotation.T + (1, 2, 3))
    assert found.scale == pytest.approx(0.7)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.shift, (1, 2, 3), atol=1e-9)
    mirrored = similarity(points, points * (1, 1, -1))
    assert np.linalg.det(mirrored.rotation) == pytest.approx(1)
