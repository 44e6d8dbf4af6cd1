"""What cameras see of a surface against shapes whose answer is known."""

import numpy as np
import pytest
from solids import box, sphere

from zero123pp.cameras import orbit_camera
from zero123pp.recon.meshing.parts import join
from zero123pp.recon.metrics import bound, by_visibility, seen_points
from zero123pp.recon.metrics.distances import SurfaceSamples, sample_surface, surface_distances


def test_a_camera_sees_the_cap_of_a_ball_that_faces_it():
    ball, camera = sphere(0.3), orbit_camera(0, 0, 2.0, 30, 320)
    samples = sample_surface(ball, 20000)
    seen = seen_points(ball, samples, [camera])
    edge = 0.3**2 / 2.0  # where lines from the camera touch the ball
    sure = np.abs(samples.points[:, 2] - edge) > 0.045  # a pixel at the outline holds that much
    np.testing.assert_array_equal(seen[sure], samples.points[sure, 2] > edge)


def test_what_stands_behind_something_else_is_hidden_until_another_camera_sees_it():
    both = join([box((0.2, 0.2, 0.02)), box((0.1, 0.1, 0.02), centre=(0, 0, -0.2))])
    behind = SurfaceSamples(np.array([[0.0, 0.0, -0.18]]), np.array([[0.0, 0, 1]]))  # the front of the small box
    last = SurfaceSamples(np.array([[0.0, 0.0, -0.22]]), np.array([[0.0, 0, -1]]))  # and its back
    front, back = orbit_camera(0, 0, 2.0, 30, 320), orbit_camera(180, 0, 2.0, 30, 320)
    assert not seen_points(both, behind, [front, back])[0]
    assert seen_points(both, behind, [front, orbit_camera(75, 0, 2.0, 30, 320)])[0]
    assert seen_points(both, last, [back])[0]


@pytest.mark.parametrize("slant", [0, 60, 80])
def test_slanted_planes_are_seen_whole(slant):
    plate = box((0.4, 0.3, 0.01))
    samples = sample_surface(plate, 5000)
    facing = samples.normals[:, 2] > 0.5
    front = SurfaceSamples(samples.points[facing], samples.normals[facing])
    assert seen_points(plate, front, [orbit_camera(slant, 0, 2.0, 30, 320)]).all()


def test_the_bound_is_the_f_score_of_exactly_what_is_seen():
    points = np.array([[0.0, 0, 0], [0.01, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert bound(points, np.array([True, False, False, False]), 0.02) == pytest.approx(2 * 0.5 / 1.5)
    assert bound(points, np.ones(4, bool), 0.02) == 1
    assert bound(points, np.zeros(4, bool), 0.02) == 0


def test_distances_go_to_the_part_of_the_nearest_true_point():
    truth, estimate = sample_surface(box(), 4000, seed=1), sample_surface(box(), 4000, seed=2)
    lifted = estimate.points + np.where(estimate.points[:, :1] > 0, [[0.3, 0, 0]], 0)
    seen = truth.points[:, 0] > 0
    found = by_visibility(surface_distances(SurfaceSamples(lifted, estimate.normals), truth), seen)
    assert found["accuracy_hidden"] < 0.05 < 0.1 < found["accuracy_seen"]
    assert np.isnan(by_visibility(surface_distances(estimate, truth), np.ones(4000, bool))["accuracy_hidden"])
