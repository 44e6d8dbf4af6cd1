"""Signed distances to meshes of all kinds."""

import numpy as np
import pytest
from shape_passes import ball, block

from zero123pp.types import Mesh


class TestDistances:
    @pytest.fixture(autouse=True)
    def _needs_igl(self):
        pytest.importorskip("igl")

    def test_of_a_ball(self):
        from zero123pp.pipelines.training_data.shapes.distances import signed_distances

        points = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 3)).astype(np.float32)
        expected = np.linalg.norm(points, axis=1) - 0.3
        np.testing.assert_allclose(signed_distances([ball()], points), expected, atol=2e-3)

    def test_winding_and_overlaps_do_not_matter(self):
        from zero123pp.pipelines.training_data.shapes.distances import signed_distances

        points = np.random.default_rng(1).uniform(-0.5, 0.5, (400, 3)).astype(np.float32)
        solid = ball()
        inside_out = Mesh(solid.vertices, solid.faces[:, ::-1])
        np.testing.assert_allclose(signed_distances([inside_out], points), signed_distances([solid], points), atol=1e-6)
        two = [block((0.4, 0.2, 0.2), (-0.1, 0, 0)), block((0.4, 0.2, 0.2), (0.1, 0, 0))]
        inside = signed_distances(two, points) < 0
        union = (np.abs(points) < (0.3, 0.1, 0.1)).all(1)
        assert (inside == union).mean() > 0.995

    def test_a_sheet_gets_a_thickness(self):
        from zero123pp.pipelines.training_data.shapes.distances import SHEET_HALF_THICKNESS, signed_distances

        corners = np.array([[-0.4, 0, -0.4], [0.4, 0, -0.4], [0.4, 0, 0.4], [-0.4, 0, 0.4]])
        sheet = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))
        heights = np.array([-0.1, -0.004, 0.0, 0.004, 0.1])
        points = np.stack([np.full(5, 0.1), heights, np.full(5, 0.05)], -1).astype(np.float32)
        np.testing.assert_allclose(signed_distances([sheet], points), np.abs(heights) - SHEET_HALF_THICKNESS, atol=1e-6)

    def test_colors_are_those_of_the_parts(self):
        from zero123pp.pipelines.training_data.shapes.distances import sample_colored

        red = block((0.2, 0.2, 0.2), (-0.3, 0, 0))
        red = Mesh(red.vertices, red.faces, np.tile(np.uint8([[255, 0, 0]]), (len(red.vertices), 1)))
        found = sample_colored([red, block((0.2, 0.2, 0.2), (0.3, 0, 0))], 300, np.random.default_rng(0))
        left = found.points[:, 0] < 0
        assert 60 < left.sum() < 240
        assert (found.rgb[left] == (255, 0, 0)).all()
        assert (found.rgb[~left] == found.rgb[~left][0, 0]).all()
        np.testing.assert_allclose(np.abs(found.normals).max(1), 1, atol=1e-6)
