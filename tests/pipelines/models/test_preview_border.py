"""Where the picture ends on the guessed solid, the colours that are guessed beside it meet it."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.pipelines.models.preview import _FADE, _met
from zero123pp.types import Mesh

pytestmark = pytest.mark.quick

BALL = icosphere(4)
RED, BLUE = np.array([1.0, 0, 0]), np.array([0, 0, 255], np.uint8)


@pytest.fixture(params=["half", "comb"])
def seen(request):
    """(F,) bool: the front half, with a straight border or with every other triangle of a band."""
    z = BALL.vertices[BALL.faces].mean(1)[:, 2]
    if request.param == "half":
        return z > 0
    return (z > 0.05) | ((z > -0.05) & (np.random.default_rng(0).random(len(z)) > 0.5))


def test_colours_meet_at_the_border_fade_and_stay_far_away(seen):
    mesh = Mesh(BALL.vertices, BALL.faces, np.tile(BLUE, (len(BALL.vertices), 1)))
    colors = _met(mesh, seen, np.tile(RED, (len(BALL.vertices), 1))).astype(int)
    is_border = np.zeros(len(colors), bool)
    is_border[BALL.faces[seen]] = True
    assert (colors[is_border] == [255, 0, 0]).all()
    far = BALL.vertices[:, 2] < -0.05 - 8 * _FADE
    assert far.any() and np.abs(colors[far] - BLUE).max() <= 1
    assert (np.abs(colors.sum(1) - 255) <= 1).all()  # in between are mixtures
    steps = np.abs(colors[BALL.faces] - colors[BALL.faces[:, [1, 2, 0]]])[~seen].max()
    before = 255
    assert steps < 0.9 * before


@pytest.mark.parametrize("share", [0, 1])
def test_nothing_or_all_seen(share):
    mesh = Mesh(BALL.vertices, BALL.faces, np.tile(BLUE, (len(BALL.vertices), 1)))
    colors = _met(mesh, np.full(len(BALL.faces), bool(share)), np.tile(RED, (len(BALL.vertices), 1)))
    assert (colors == ([255, 0, 0] if share else BLUE)).all()
