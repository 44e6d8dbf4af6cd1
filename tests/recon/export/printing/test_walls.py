"""Thickness of walls against solids whose walls are known."""

import numpy as np
import pytest
from plain_solids import ball, box, rod, tube

from zero123pp.recon.export.printing import measured
from zero123pp.types import Mesh

pytestmark = pytest.mark.quick

WALL = 0.0012


@pytest.mark.parametrize(
    ("solid", "thickness"),
    [
        (box(0.02, 0.02, 0.0005), 0.0005),
        (box(0.02, 0.001, 0.02), 0.001),
        (tube(0.006, 0.0006, 0.01), 0.0006),
        (rod(0.0004, 0.02), 0.0008),
    ],
)
def test_thin_walls_have_the_thickness_they_were_made_with(solid, thickness):
    walls = measured(solid, WALL)
    assert walls.is_thin.mean() > 0.8
    assert walls.thinnest == pytest.approx(thickness, rel=0.08)
    assert np.median(walls.thickness[walls.is_thin]) == pytest.approx(thickness, rel=0.02)


@pytest.mark.parametrize(
    "solid", [box(0.02, 0.02, 0.02), box(0.02, 0.02, 0.0014), ball(0.01), tube(0.006, 0.0015, 0.01)]
)
def test_thick_walls_and_sharp_edges_are_not_thin(solid):
    assert measured(solid, WALL).thinnest == np.inf


def test_the_middle_of_a_wall_lies_between_its_sides():
    walls = measured(box(0.02, 0.02, 0.0005), WALL)
    assert np.quantile(np.abs(walls.centre[walls.is_thin][:, 2]), 0.9) < 1e-6


def test_one_thin_part_is_found_beside_a_thick_one():
    thick, thin = box(0.01, 0.01, 0.01), box(0.01, 0.01, 0.0006)
    both = Mesh(
        np.concatenate([thick.vertices, thin.vertices + np.float32([0, 0, 0.02])]),
        np.concatenate([thick.faces, thin.faces + len(thick.vertices)]),
    )
    walls = measured(both, WALL)
    assert (walls.centre[walls.is_thin][:, 2] > 0.019).all()
    assert walls.is_thin.mean() == pytest.approx(2 / 8, abs=0.03)
