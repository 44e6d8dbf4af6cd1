"""Faces that pass through each other."""

import numpy as np
from shapes import icosphere

from zero123pp.recon.refine.intersections import intersecting_faces

RNG = np.random.default_rng(0)


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
