"""Winding numbers on a grid against the exact solid angle."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solids import box, sphere

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.meshing.parts import join
from zero123pp.recon.metrics.winding import grid_winding_numbers
from zero123pp.types import Mesh

pytestmark = pytest.mark.quick


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


def test_winding_refuses_vertices_that_are_not_finite():
    with pytest.raises(BadInput, match="finite"):
        grid_winding_numbers(Mesh([[0, 0, 0], [1, 0, 0], [np.inf, 1, 0]], [[0, 1, 2]]), 8, 1.0)


def test_winding_without_libigl_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "igl", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[eval\]"):
        grid_winding_numbers(box(), 8, 1.0)
