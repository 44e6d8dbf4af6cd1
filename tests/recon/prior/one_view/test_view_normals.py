"""Normals that a network sees in posed views: a ball's, against those that are rendered of it."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from seen_by_network import Answers, ball

from zero123pp.errors import ConfigError
from zero123pp.recon.prior import ViewNormalsConfig, with_guessed_normals
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, MultiView


def views_of_a_ball(centre) -> list:
    """With true normals."""
    body = trimesh.creation.icosphere(4, 0.06)  # small: what the network is asked for here has no perspective
    shades = np.full((len(body.vertices), 3), 128, np.uint8)
    mesh = Mesh(body.vertices + centre, body.faces, shades)
    return [render([mesh], camera) for camera in get_rig("v1.2").cameras(320)]


@pytest.mark.parametrize("centre", [(0, 0, 0), (0.2, -0.1, 0.1)], ids=["in the middle", "aside"])
def test_a_ball_looks_as_it_does_from_each_camera(centre):
    true = views_of_a_ball(centre)
    bare = MultiView(tuple(replace(view, normal=None) for view in true), source="test")
    guessed = with_guessed_normals(bare, Answers(ball, 96))
    for view, seen in zip(true, guessed.views):
        whole = (view.alpha > 0.99) & (view.normal[..., 2] > 0.5)
        cosine = (view.normal * seen.normal).sum(-1)[whole]
        assert (
            np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).mean() < 3
        )  # 7 if the crop's middle were taken for the picture's
        np.testing.assert_allclose(np.linalg.norm(seen.normal[whole], axis=-1), 1, atol=1e-5)


def test_views_keep_their_own_normals_and_empty_ones_get_none():
    first, second, third, *_ = views_of_a_ball((0, 0, 0))
    bare = replace(second, normal=None)
    empty = replace(third, normal=None, alpha=np.zeros_like(third.alpha))
    seen = with_guessed_normals(MultiView((first, bare, empty), source="test"), Answers(ball, 96)).views
    np.testing.assert_array_equal(seen[0].normal, first.normal)
    assert seen[1].normal is not None
    assert seen[2].normal is None


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_a_weight_is_a_number_from_0(weight):
    with pytest.raises(ConfigError, match="weight"):
        ViewNormalsConfig(weight=weight)
