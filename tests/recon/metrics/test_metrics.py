"""Metrics against closed forms, symmetry laws and the exact solid angle."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.meshing.parts import join
from zero123pp.recon.metrics import distances as metrics
from zero123pp.recon.metrics.pictures import psnr, ssim
from zero123pp.recon.metrics.winding import grid_winding_numbers
from zero123pp.types import Mesh

_QUADS = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
_BOX_FACES = np.array([[q[0], q[i], q[i + 1]] for q in _QUADS for i in (1, 2)])


def box(half=(0.5, 0.5, 0.5), centre=(0.0, 0.0, 0.0)) -> Mesh:
    """Twelve triangles; the last two are the side at +x."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    return Mesh(corners * half + centre, _BOX_FACES)


def sphere(radius: float = 1.0, subdivisions: int = 5) -> Mesh:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(ball.vertices, ball.faces)


def compare(a: Mesh, b: Mesh, count: int = 20000) -> metrics.SurfaceDistances:
    return metrics.surface_distances(metrics.sample_surface(a, count, seed=2), metrics.sample_surface(b, count, seed=1))


def exact_winding(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Signed solid angle over 4 pi (van Oosterom and Strackee 1983, eq. 8), point by point."""
    corners = mesh.vertices.astype(float)[mesh.faces]
    result = []
    for point in points:
        a, b, c = (corners[:, i] - point for i in range(3))
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        above = np.einsum("ij,ij->i", a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        result.append(2 * np.arctan2(above, below).sum() / (4 * np.pi))
    return np.array(result)


def grid_points(resolution: int, half_side: float) -> np.ndarray:
    line = (np.arange(resolution) + 0.5) * 2 * half_side / resolution - half_side
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)


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
    mesh = Mesh(np.vstack([box().vertices, [[9, 9, 9]]]), np.vstack([[[8, 8, 8]], _BOX_FACES, [[8, 8, 0]]]))
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


FAR_FACES = 5e-3
"""Faces far from a point are summed together, which is not exact."""


def test_winding_of_a_closed_box_is_one_inside_and_zero_outside():
    winding = grid_winding_numbers(box((0.5, 0.3, 0.7)), 32, 1.0)
    inside = (np.abs(grid_points(32, 1.0)) < [0.5, 0.3, 0.7]).all(-1)
    np.testing.assert_allclose(winding, inside, atol=FAR_FACES)


def test_winding_of_faces_beyond_the_grid_counts():
    np.testing.assert_allclose(grid_winding_numbers(box((5, 7, 9)), 8, 1.0), 1, atol=FAR_FACES)
    np.testing.assert_allclose(grid_winding_numbers(box((5, 7, 9), (20, 0, 3)), 8, 1.0), 0, atol=FAR_FACES)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_winding_of_turned_and_skewed_boxes_is_one_or_zero(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(3, 3)) * 0.7
    if np.linalg.det(matrix) < 0:
        matrix[0] *= -1
    shift = rng.uniform(-0.3, 0.3, 3)
    mesh = Mesh(box().vertices @ matrix.T + shift, box().faces)
    in_box = np.abs((grid_points(16, 1.0) - shift) @ np.linalg.inv(matrix).T)
    clear = np.abs(in_box.max(-1) - 0.5) > 1e-3  # float32 vertices
    np.testing.assert_allclose(
        grid_winding_numbers(mesh, 16, 1.0)[clear], (in_box.max(-1) < 0.5)[clear], atol=FAR_FACES
    )


def test_winding_counts_layers_and_turns_with_the_faces():
    ball = sphere(0.8, 3)
    twice = join([ball, ball])
    assert grid_winding_numbers(twice, 16, 1.0)[8, 8, 8] == pytest.approx(2, abs=FAR_FACES)
    inverted = Mesh(ball.vertices, ball.faces[:, ::-1])
    assert grid_winding_numbers(inverted, 16, 1.0)[8, 8, 8] == pytest.approx(-1, abs=FAR_FACES)
    assert np.abs(grid_winding_numbers(join([ball, inverted]), 16, 1.0)).max() == pytest.approx(0, abs=FAR_FACES)


def test_winding_of_open_surfaces_follows_the_exact_solid_angle():
    ball = sphere(0.8, 3)
    bowl = Mesh(ball.vertices, ball.faces[ball.vertices[ball.faces].mean(axis=1)[:, 1] < 0.3])
    lidless = Mesh(box().vertices, box().faces[:-2])
    for mesh in (bowl, lidless):
        winding = grid_winding_numbers(mesh, 12, 1.0)
        exact = exact_winding(mesh, grid_points(12, 1.0).reshape(-1, 3)).reshape(winding.shape)
        np.testing.assert_allclose(winding, exact, atol=FAR_FACES)


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


def test_winding_refuses_vertices_that_are_not_finite():
    with pytest.raises(BadInput, match="finite"):
        grid_winding_numbers(Mesh([[0, 0, 0], [1, 0, 0], [np.inf, 1, 0]], [[0, 1, 2]]), 8, 1.0)


def test_winding_without_libigl_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "igl", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[eval\]"):
        grid_winding_numbers(box(), 8, 1.0)


# --- pictures


def test_psnr_has_its_closed_form():
    black = np.zeros((16, 16, 3))
    assert psnr(black, black) == float("inf")
    assert psnr(black + 0.1, black) == pytest.approx(20)
    assert psnr(black + 1, black) == pytest.approx(0)


def test_ssim_is_one_for_equal_pictures_symmetric_and_falls_with_noise():
    rng = np.random.default_rng(0)
    picture = np.repeat(np.linspace(0, 1, 48)[None, :, None], 48, axis=0).repeat(3, axis=2)
    little, much = (np.clip(picture + rng.normal(0, s, picture.shape), 0, 1) for s in (0.02, 0.2))
    assert ssim(picture, picture) == pytest.approx(1)
    assert 1 > ssim(little, picture) > ssim(much, picture) > 0
    assert ssim(much, picture) == pytest.approx(ssim(picture, much))


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(BadInput, match="shapes"):
        psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
    with pytest.raises(BadInput, match="floats"):
        ssim(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8))
