"""Moves are kept where they harm nothing."""

import numpy as np
from shapes import icosphere

from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.meshing.topology import is_sound
from zero123pp.recon.refine.guard import held_back
from zero123pp.recon.refine.intersections import intersecting_faces


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
