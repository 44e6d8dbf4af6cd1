"""Signed distances to outlines and the visual hull, against shapes with known answers."""

from dataclasses import replace

import numpy as np
import pytest
from balls import ball_view, ball_views

from zero123pp.cameras import focal_px, look_at, orbit_camera, project
from zero123pp.errors import StageFailed
from zero123pp.recon.fitting import outline
from zero123pp.recon.fitting.hull import Silhouettes
from zero123pp.recon.fitting.outline import distance_once, signed_distance
from zero123pp.types import Camera, read_only

pytestmark = pytest.mark.quick


def _disc(size=64, radius=17.3, centre=(30.2, 33.7), samples=8):
    at = (np.arange(size * samples) + 0.5) / samples
    inside = np.hypot(at[None] - centre[0], at[:, None] - centre[1]) < radius
    return inside.reshape(size, samples, size, samples).mean((1, 3)).astype(np.float32)


def test_outline_of_a_disc_is_found_to_a_fraction_of_a_pixel():
    distance = signed_distance(_disc())
    y, x = np.mgrid[:64, :64] + 0.5
    np.testing.assert_allclose(distance, np.hypot(x - 30.2, y - 33.7) - 17.3, atol=0.13)


def test_silhouettes_that_cannot_change_are_measured_once_and_forgotten_when_they_are_gone():
    alpha, known = _disc(), len(outline._KNOWN)
    first = distance_once(alpha)
    alpha[:] = _disc(radius=9.5)  # its owner may do as he likes
    np.testing.assert_array_equal(distance_once(alpha), signed_distance(alpha))
    np.testing.assert_array_equal(first, signed_distance(_disc()))
    fixed = read_only(_disc())
    assert distance_once(fixed) is distance_once(fixed)
    np.testing.assert_array_equal(distance_once(fixed), first)
    assert len(outline._KNOWN) == known + 1
    del fixed
    assert len(outline._KNOWN) == known


def test_outline_matches_brute_force_on_noise():
    rng = np.random.default_rng(0)
    alpha = rng.random((20, 27)).astype(np.float32)
    fine = _bilinear_samples(alpha, 16)
    down = np.argwhere((fine[1:] >= 0.5) != (fine[:-1] >= 0.5)) / 16.0 + [1 / 32, 0]
    across = np.argwhere((fine[:, 1:] >= 0.5) != (fine[:, :-1] >= 0.5)) / 16.0 + [0, 1 / 32]
    edge = np.concatenate([down, across])
    distance = np.abs(signed_distance(alpha))
    y, x = np.mgrid[:20, :27]
    brute = np.sqrt(((np.stack([y, x], -1)[..., None, :] - edge) ** 2).sum(-1)).min(-1)
    # Bilinear level sets are hyperbolas where the outline has straight segments.
    assert np.abs(distance - brute).max() < 0.3
    assert ((signed_distance(alpha) < 0) == (alpha >= 0.5)).all()


def _bilinear_samples(alpha, factor):
    from scipy.ndimage import map_coordinates

    y, x = (np.arange((n - 1) * factor + 1) / factor for n in alpha.shape)
    return map_coordinates(alpha, np.meshgrid(y, x, indexing="ij"), order=1)


def test_the_border_of_a_picture_is_no_outline():
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, 10:] = 1
    expected = 9.5 - np.arange(40)  # the outline is at index 9.5; the object goes on beyond the other three sides
    np.testing.assert_allclose(signed_distance(alpha), np.tile(expected, (40, 1)), atol=1e-5)


def test_a_full_picture_has_no_outline():
    assert (signed_distance(np.ones((5, 7), np.float32)) == -np.inf).all()


def _nodes(resolution, half_extent):
    axis = np.linspace(-half_extent, half_extent, resolution)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def test_hull_of_a_ball_touches_it_and_holds_it():
    hull = Silhouettes(ball_views(size=128).views).grid(48, 0.5, radius=0.5)
    nodes = _nodes(48, 0.5)
    distance = np.linalg.norm(nodes, axis=-1) - 0.35
    assert hull[distance < -0.01].max() < 0  # nothing of the ball is lost
    # On the great circles that the cameras see edge-on the hull is the ball; its corners between views stand out.
    near = np.abs(distance) < 0.01
    assert np.percentile(hull[near] - distance[near], 95) < 0.005
    assert (hull < 0).mean() < 1.4 * (distance < 0).mean()


def test_distance_is_to_scale_and_subpixel():
    """A plane through the centre of the picture of one camera cuts the ball's silhouette at a known place."""
    camera = orbit_camera(0, 0, 4.0, 20, 48)
    hull = Silhouettes([ball_view(camera, radius=0.3)]).grid(41, 0.5, radius=1.0)
    axis = np.linspace(-0.5, 0.5, 41)
    rim = 0.3 * 4 / np.sqrt(16 - 0.09)  # of the silhouette's cone at the depth of the centre
    pixel = 4.0 / camera.fx
    off_centre = np.abs(axis) > pixel  # at its very middle the distance has a tip between pixels
    np.testing.assert_allclose(hull[off_centre, 20, 20], (np.abs(axis) - rim)[off_centre], atol=0.15 * pixel)


def test_what_leaves_the_picture_is_unknown_not_background():
    size = 96
    whole = orbit_camera(0, 0, 2.0, 24, size)
    half = Camera(whole.world_from_cam, whole.fx, whole.fy, whole.cx, whole.cy, size // 2, size)  # left half only
    others = [orbit_camera(a, 10, 2.0, 30, size) for a in (60, 120, 200, 300)]
    full, cropped = (Silhouettes([ball_view(c) for c in (first, *others)]).grid(40, 0.5, radius=0.5)
                     for first in (whole, half))  # fmt: skip
    nodes = _nodes(40, 0.5)
    inside = np.linalg.norm(nodes, axis=-1) < 0.34
    assert (cropped[inside] < 0).all()
    assert (cropped <= full + 1e-5)[inside].all()
    # Far from the silhouette, just outside the cropped picture's top, is background all the same.
    px, _ = project(half, nodes)
    above = (px[..., 1] < 0) & (px[..., 1] > -2) & (px[..., 0] > 0) & (px[..., 0] < size / 2)
    assert above.any() and (cropped[above] > 0).all()


def test_dissent_lets_one_view_be_wrong():
    views = list(ball_views(size=64).views)
    wrong = views[2].alpha.copy()
    wrong[:, :32] = 0  # half of the ball is missing in one view
    views[2] = replace(views[2], alpha=wrong)
    strict, vote = (
        Silhouettes(views).grid(32, 0.5, radius=0.5, outlier_views=outlier_views) for outlier_views in (0, 1)
    )
    inside = np.linalg.norm(_nodes(32, 0.5), axis=-1) < 0.34
    assert (strict[inside] > 0).mean() > 0.3
    assert (vote[inside] < 0).all()
    assert (vote <= strict).all()


def test_cameras_of_any_pose_and_views_of_any_size():
    views = []
    for position, width, height in (((2.0, 0.5, 0), 80, 60), ((0, 2.5, 0.1), 50, 90), ((-0.3, 0.4, -3.0), 64, 64)):
        pose = look_at(np.array(position), np.array([0.02, 0.03, 0.05]))
        f = focal_px(35, min(width, height))
        views.append(ball_view(Camera(pose, f, 1.1 * f, width / 2 + 3, height / 2 - 2, width, height), radius=0.3))
    hull = Silhouettes(views).grid(40, 0.5, radius=0.5)
    inside = np.linalg.norm(_nodes(40, 0.5), axis=-1) < 0.28
    assert (hull[inside] < 0).all()
    assert (hull < 0).mean() < 2 * inside.mean()


def test_views_without_object_are_named():
    views = list(ball_views(size=32).views)
    views[1] = replace(views[1], alpha=np.zeros_like(views[1].alpha))
    with pytest.raises(StageFailed, match=r"view 1 of 6 shows no object"):
        Silhouettes(views)
