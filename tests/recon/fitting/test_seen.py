"""What a picture shows of a surface: slopes and normals of planes, and where the surface ends."""

import numpy as np
import pytest
from gray_cube import HALF, N, cube_views

from zero123pp.recon.fitting.seen import Picture, inverse_depth_slopes
from zero123pp.recon.fitting.targets import contrast

pytestmark = pytest.mark.quick


def test_slopes_of_a_plane_are_the_same_everywhere_and_end_at_a_jump():
    y, x = np.mgrid[:20, :30] + 0.5
    depth = 1 / (0.3 + 0.002 * x - 0.003 * y)
    depth[:, 18:] += 2
    slopes = inverse_depth_slopes(depth, 0.05)
    np.testing.assert_allclose(slopes[:, :18, 0], 0.002, rtol=1e-3)
    np.testing.assert_allclose(slopes[:, :18, 1], -0.003, rtol=1e-3)
    assert (slopes[:, 17, 3] == 0).all() and (slopes[:, :17, 3] == 1).all()
    depth[5] = 0
    gone = inverse_depth_slopes(depth, 0.05)
    assert (gone[5] == 0).all() and (gone[4, :, 4] == 0).all()


def test_normals_and_slopes_are_each_others_way_back():
    view = cube_views(size=40)[0]
    picture = Picture(view, np.flatnonzero(view.alpha > 0.5), (N - 1) / (2 * HALF), HALF, contrast([view]))
    rng = np.random.default_rng(0)
    depth = rng.uniform(60, 80, picture.solid.shape)
    slopes = rng.normal(0, 2e-4, (*depth.shape, 2))
    back = picture.slopes_of(picture.normals(depth, slopes), depth)
    np.testing.assert_allclose(np.stack(back, -1), slopes, atol=1e-9)
    along = np.broadcast_to(picture.camera.world_from_cam[:3, 0], (*depth.shape, 3))
    assert np.isnan(picture.slopes_of(along, depth)[0]).any(), "a plane along the line of sight has no slope"
    assert np.isnan(picture.slopes_of(picture.normals(depth, slopes), 0 * depth)[0]).all()
