"""The loss of face normals and its derivative."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.recon.meshing.normals import face_normals
from zero123pp.recon.refine.face_normals import normal_loss, normal_sums

RNG = np.random.default_rng(0)


def test_the_loss_of_face_normals_and_its_derivative():
    ball = icosphere(2)
    vertices = ball.vertices.astype(float) + RNG.normal(0, 0.01, ball.vertices.shape)
    seen = RNG.integers(-1, len(ball.faces), (9, 7)).astype(np.int32)
    normal = RNG.normal(size=(9, 7, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    weight, sums = RNG.uniform(0, 1, (9, 7)) * (RNG.uniform(size=(9, 7)) > 0.2), np.zeros((len(ball.faces), 4))
    normal_sums(seen, normal, weight, sums)

    def loss(vertices):  # pixel by pixel
        return (weight * ((face_normals(vertices, ball.faces)[seen] - normal) ** 2).sum(-1))[seen >= 0].sum()

    found, gradient = normal_loss(vertices, ball.faces, sums)
    assert found == pytest.approx(loss(vertices))
    direction = RNG.normal(size=vertices.shape)
    ends = [loss(vertices + sign * 1e-6 * direction) for sign in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
