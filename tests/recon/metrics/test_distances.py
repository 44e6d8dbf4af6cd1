"""Distances between surfaces against closed forms and symmetry laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solids import BOX_FACES, box, sphere

from zero123pp.errors import BadInput
from zero123pp.recon.meshing.parts import join
from zero123pp.recon.metrics import distances as metrics
from zero123pp.types import Mesh


def compare(a: Mesh, b: Mesh, count: int = 20000) -> metrics.SurfaceDistances:
    return metrics.surface_distances(metrics.sample_surface(a, count, seed=2), metrics.sample_surface(b, count, seed=1))


# --- sampling


def test_box_winds_outward():
    a, b, c = (box().vertices[box().faces[:, i]] for i in range(3))
    assert (np.einsum("fd,fd->f", np.cross(b - a, c - a), a) > 0).all()


def test_samples_lie_on_the_surface_in_proportion_to_area_with_its_normals():
    half = np.array([1.0, 0.2, 0.5])
    samples = metrics.sample_surface(box(half), 60000, seed=0)
    side = np.abs(np.abs(samples.points) - half)
    assert side.min(axis=1).max() < 1e-6
    axis = side.argmin(axis=1)
    np.testing.assert_allclose(
        np.take_along_axis(samples.normals, axis[:, None], 1)[:, 0],
        np.sign(np.take_along_axis(samples.points, axis[:, None], 1)[:, 0]),
        atol=1e-6,
    )
    areas = np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
    np.testing.assert_allclose(np.bincount(axis) / 60000, areas / areas.sum(), atol=0.01)


def test_samples_are_uniform_inside_a_triangle():
    triangle = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    points = metrics.sample_surface(triangle, 50000, seed=3).points
    np.testing.assert_allclose(points.mean(0), [1 / 3, 1 / 3, 0], atol=0.005)
    np.testing.assert_allclose(np.mean(points[:, :2].max(axis=1) < 0.5), 0.5, atol=0.01)  # half of the area


def test_samples_repeat_for_a_seed_and_differ_between_seeds():
    first, again, other = (metrics.sample_surface(box(), 100, seed=s).points for s in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)


def test_faces_without_area_are_never_drawn():
    mesh = Mesh(np.vstack([box().vertices, [[9, 9, 9]]]), np.vstack([[[8, 8, 8]], BOX_FACES, [[8, 8, 0]]]))
    samples = metrics.sample_surface(mesh, 20000)
    assert np.abs(samples.points).max() <= 0.5 + 1e-6
    assert np.isfinite(samples.normals).all()


@pytest.mark.parametrize(
    "mesh",
    [
        Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)),
        Mesh(np.zeros((3, 3)), [[0, 1, 2]]),
        Mesh([[0, 0, 0], [1, 0, 0], [np.nan, 1, 0]], [[0, 1, 2]]),
    ],
    ids=["empty", "a point", "not finite"],
)
def test_a_mesh_without_surface_is_refused(mesh):
    with pytest.raises(BadInput, match="cannot sample"):
        metrics.sample_surface(mesh, 10)


def test_join_keeps_every_triangle():
    both = join([box(centre=(0, 0, 0)), box(centre=(3, 0, 0))])
    assert len(both.faces) == 24
    assert both.vertices[both.faces[12:]].mean() == pytest.approx(1.0)
    with pytest.raises(BadInput):
        join([])


# --- distances


def test_a_surface_agrees_with_itself():
    samples = metrics.sample_surface(sphere(), 5000)
    same = metrics.surface_distances(samples, samples)
    assert metrics.chamfer(same) == 0
    assert metrics.f_score(same, 1e-9) == 1
    assert metrics.normal_consistency(same) == pytest.approx(1)
    independent = compare(sphere(), sphere())
    assert metrics.chamfer(independent) < 0.02  # the samples' spacing, sqrt(area / count) = 0.025
    assert metrics.f_score(independent, 0.08) == 1
    assert metrics.normal_consistency(independent) > 0.999


def test_chamfer_of_scaled_spheres_is_the_difference_of_their_radii():
    apart = compare(sphere(1.0), sphere(0.9))
    assert metrics.chamfer(apart) == pytest.approx(0.1, abs=0.004)
    assert metrics.f_score(apart, 0.09) == 0
    assert metrics.f_score(apart, 0.13) == 1
    assert metrics.normal_consistency(apart) > 0.998


def test_precision_and_recall_of_half_a_surface():
    ball = sphere()
    half = Mesh(ball.vertices, ball.faces[ball.vertices[ball.faces].mean(axis=1)[:, 1] > 0])
    of_half = compare(half, ball)
    assert of_half.accuracy.mean() < 0.02 < 0.1 < of_half.completeness.mean()
    recall = np.mean(of_half.completeness < 0.05)
    assert recall == pytest.approx(0.525, abs=0.01)  # half the sphere and a rim of 0.05
    assert metrics.f_score(of_half, 0.05) == pytest.approx(2 * recall / (1 + recall), abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 1), st.floats(-0.3, 0.3))
def test_chamfer_and_f_score_are_symmetric(size, shift):
    a = metrics.sample_surface(box(), 2000, seed=1)
    b = metrics.sample_surface(box((size, 0.4, 0.6), (shift, 0, 0)), 2000, seed=2)
    there, back = metrics.surface_distances(a, b), metrics.surface_distances(b, a)
    assert metrics.chamfer(there) == pytest.approx(metrics.chamfer(back), rel=1e-12)
    assert metrics.f_score(there, 0.05) == pytest.approx(metrics.f_score(back, 0.05), rel=1e-12)
    assert metrics.normal_consistency(there, symmetric=True) == pytest.approx(
        metrics.normal_consistency(back, symmetric=True), rel=1e-12
    )


def test_normals_count_without_their_sign_and_at_right_angles_not_at_all():
    turned = Mesh(box().vertices, box().faces[:, ::-1])
    assert metrics.normal_consistency(compare(box(), turned)) > 0.97
    floor = Mesh([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 2]])
    wall = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    assert metrics.normal_consistency(compare(floor, wall)) == pytest.approx(0, abs=1e-6)


def test_f_score_is_zero_when_nothing_is_near():
    assert metrics.f_score(compare(box(), box(centre=(9, 0, 0)), 100), 0.2) == 0


# --- volumes


def test_volume_iou_of_boxes_and_spheres_has_its_closed_form():
    assert metrics.volume_iou(box(), box()) == 1
    assert metrics.volume_iou(box(), box(centre=(0.25, 0, 0))) == pytest.approx(0.75 / 1.25)
    assert metrics.volume_iou(box(), box(centre=(1.2, 0, 0))) == 0
    assert metrics.volume_iou(sphere(0.9), sphere(0.72)) == pytest.approx(0.8**3, abs=0.01)


def test_volume_iou_counts_overlapping_parts_once_and_keeps_cavities():
    left, right = box((0.4, 0.3, 0.3), (-0.2, 0, 0)), box((0.4, 0.3, 0.3), (0.2, 0, 0))
    assert metrics.volume_iou(join([left, right]), box((0.6, 0.3, 0.3))) == 1
    inner = Mesh(box((0.25,) * 3).vertices, box().faces[:, ::-1])
    hollow = join([box(), inner])
    assert metrics.volume_iou(hollow, box()) == pytest.approx(1 - 0.5**3)


def test_volume_iou_of_nothing_is_not_a_number():
    sheet = Mesh([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0]], [[0, 1, 2]])
    assert np.isnan(metrics.volume_iou(sheet, sheet))


# --- pictures
