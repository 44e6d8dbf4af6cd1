"""Steps of the refinement."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.recon.refine.descent import Adam, SmoothDescent


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
