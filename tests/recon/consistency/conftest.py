"""Views of a ball, as they are and warped against each other."""

from dataclasses import replace

import pytest
from balls import ball_views

from zero123pp.pipelines.evaluation.degrade import Degradation, degrade
from zero123pp.types import MultiView

BEND = Degradation(warp_px=3)


@pytest.fixture(scope="module")
def ball():
    return MultiView(tuple(replace(view, normal=None) for view in ball_views(size=128).views), "ball")


@pytest.fixture(scope="module")
def disagreeing(ball):
    return MultiView(tuple(degrade(v, BEND, key="ball", index=i) for i, v in enumerate(ball.views)), "ball")
