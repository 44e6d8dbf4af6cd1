"""Roughness is the mean angle between neighbouring faces."""

import numpy as np
import pytest
import trimesh
from shapes import box

from zero123pp.recon.metrics.roughness import roughness_deg
from zero123pp.types import Mesh


def test_a_box_turns_only_at_its_edges():
    """Per cell of its sides, edges are two of length 1 and a diagonal; on its 12 edges the angle is 90 degrees."""
    n = 4
    inner, corner = 6 * n * n * (2 + np.sqrt(2)), 12 * n  # each side has n x n cells; edges shared by two sides
    assert roughness_deg(box(1.0, n), faces=0) == pytest.approx(90 * corner / inner, rel=1e-4)


def test_noise_is_rough_and_the_same_solid_is_as_rough_at_any_number_of_faces():
    ball = trimesh.creation.icosphere(5)
    smooth = Mesh(ball.vertices, ball.faces)
    noise = np.random.default_rng(0).normal(0, 0.01, smooth.vertices.shape)
    rough = smooth.with_vertices(smooth.vertices + noise)
    assert roughness_deg(rough, 4000) > 3 * roughness_deg(smooth, 4000)
    finer = trimesh.creation.icosphere(6)
    same = roughness_deg(Mesh(finer.vertices, finer.faces), 4000)
    assert roughness_deg(smooth, 4000) == pytest.approx(same, rel=0.1)
