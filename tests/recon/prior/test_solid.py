"""From the network's distances for one picture to a solid with the picture's outline."""

import numpy as np
import pytest

from zero123pp.cameras import project
from zero123pp.recon.prior.framing import SINGLE_VIEW_ROOM
from zero123pp.recon.prior.rays import Rays, evened, extended
from zero123pp.recon.prior.runtime import SOFTNESS
from zero123pp.recon.prior.single import _camera, _cone, _nodes
from zero123pp.recon.prior.solid import largest_piece, probable_solid, round_edged, with_outline
from zero123pp.types import View


def seen(alpha: np.ndarray, resolution: int, elevation_deg: float = 0.0) -> tuple[Rays, np.ndarray]:
    """The rays of an outline, and the distance from its cone."""
    view = View(np.zeros((*alpha.shape, 3)), alpha.astype(np.float32), _camera(elevation_deg, len(alpha)))
    return Rays.of(view, resolution), _cone(view, resolution)


def disc(size: int, radius_px: float) -> np.ndarray:
    rows, columns = np.indices((size, size)) + 0.5 - size / 2
    return np.clip(radius_px - np.hypot(rows, columns) + 0.5, 0, 1)


def thickness(sdf: np.ndarray, rays: Rays) -> np.ndarray:
    return (rays.along(sdf, 1.0) < 0).sum(-1) * rays.step


@pytest.mark.parametrize("elevation_deg", [0.0, 25.0])
def test_rays_run_where_the_camera_looks(elevation_deg):
    alpha = disc(80, 30)
    camera = _camera(elevation_deg, 80)
    rays, _ = seen(alpha, 40, elevation_deg)
    nodes = _nodes(40)
    px, depth = project(camera, nodes)
    inner = rays._within & (rays.along(np.abs(nodes).max(-1), 1.0) < 0.9)
    along = np.broadcast_to(rays.depths, inner.shape)
    np.testing.assert_allclose(rays.along(depth, 0)[inner], along[inner], atol=2e-3)
    column = np.broadcast_to(np.arange(40)[None, :, None], inner.shape)
    np.testing.assert_allclose(rays.along(px[..., 0] / 2 - 0.5, 0)[inner], column[inner], atol=0.05)
    back = rays.at_nodes(np.broadcast_to(np.arange(40.0)[:, None], (40, 40)))
    shown = (np.abs(px - 40) < 38).all(-1)
    np.testing.assert_allclose(back[shown], (px[..., 1] / 2 - 0.5)[shown], atol=1e-3)
    assert rays.edge.max() == pytest.approx((30 - 2**0.5) / 40 / SINGLE_VIEW_ROOM, rel=0.01)
    assert rays.inside.mean() == pytest.approx(alpha.mean(), rel=0.03)


def test_means_know_nothing_of_what_has_no_weight():
    rng = np.random.default_rng(0)
    weights = rng.random((30, 30)) > 0.5
    values = np.where(weights, 3.0, 1e6)
    np.testing.assert_allclose(evened(values, weights, 2.0)[weights], 3.0, rtol=1e-5)
    assert (extended(np.where(weights, 3.0, 7.0), weights) == 3.0).all()


def test_where_the_network_is_sure_its_surface_stays():
    rays, cone = seen(disc(96, 40), 64, 15.0)
    nodes = _nodes(64)
    ball = np.linalg.norm(nodes, axis=-1) - 0.35
    made = np.maximum(probable_solid(ball.astype(np.float32), cone, rays, 1.0), cone)
    wrong = (made < 0) != (ball < 0)
    assert (np.abs(ball[wrong]) < 1.5 * 2 / 63).all()
    assert (made < 0).sum() == pytest.approx((ball < 0).sum(), rel=0.1)


@pytest.mark.parametrize("most", [0.45, 0.7, 0.9])
def test_where_it_is_unsure_the_object_is_as_thick_as_on_average(most):
    rays, cone = seen(disc(96, 40), 64)
    nodes = _nodes(64)
    probability = np.clip(most * (1 - np.abs(nodes[..., 2]) / 0.8), 1e-4, 1)
    made = probable_solid((SOFTNESS * np.log(1 / probability - 1)).astype(np.float32), cone, rays, 1.0)
    inner = rays.edge > 0.1
    assert thickness(made, rays)[inner].mean() == pytest.approx(most * 0.8, rel=0.1)


def test_walls_thinner_than_the_blur_stay():
    rays, cone = seen(disc(96, 40), 64)
    z = _nodes(64)[..., 2]
    walls = np.abs(np.abs(z) - 0.3) - 0.025
    made = probable_solid(walls.astype(np.float32), cone, rays, 2.0)
    along = rays.along(made, 1.0)[rays.edge > 0.1] < 0
    assert (along[:, rays.depths < rays.depths.mean()].any(1) & along[:, rays.depths > rays.depths.mean()].any(1)).all()


def test_the_cut_of_the_outline_becomes_round_and_the_rest_stays():
    rays, cone = seen(disc(96, 40), 64)
    slab = (np.abs(_nodes(64)[..., 2]) - 0.3).astype(np.float32)
    before, after = thickness(slab, rays), thickness(round_edged(slab, cone, rays, 1.0, 0.02), rays)
    assert after[rays.edge > 0.33].mean() == pytest.approx(before[rays.edge > 0.33].mean(), rel=0.06)
    ring = (rays.edge > 0.06) & (rays.edge < 0.1)
    inward = np.clip(rays.edge[ring] / 0.3, 0, 1)
    expected = 0.6 * np.sqrt(1 - (1 - inward) ** 2)
    assert after[ring].mean() == pytest.approx(expected.mean(), rel=0.1)
    assert before[ring].mean() > 1.3 * after[ring].mean()
    assert round_edged(slab, cone, rays, 0.0, 0.02) is slab


def test_what_is_imagined_apart_from_the_solid_is_taken_away():
    axis = np.linspace(-1, 1, 40, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    ball, island = np.sqrt(x**2 + y**2 + z**2) - 0.4, np.sqrt(x**2 + y**2 + (z - 0.9) ** 2) - 0.15
    found = largest_piece(np.minimum(ball, island), np.full_like(ball, -1), 0.05)
    assert ((found < 0) == (ball < 0)).all()
    assert largest_piece(ball, np.full_like(ball, -1), 0.05) is ball


def test_limbs_that_the_network_misses_are_as_thick_as_wide_and_where_the_solid_is():
    size, resolution = 96, 64
    rows, columns = np.indices((size, size))
    body = (np.abs(columns - 48) < 16) & (np.abs(rows - 32) < 16)
    leg = (np.abs(columns - 48) < 3) & (rows >= 32) & (rows < 84)
    alpha = (body | leg).astype(np.float32)
    rays, cone = seen(alpha, resolution)
    nodes = _nodes(resolution)
    behind = np.array([0.0, 0.33, -0.4])  # the network sees the body only, behind the middle of the cube
    sdf = (np.abs(nodes - behind) - 0.2).max(-1).astype(np.float32)
    made = with_outline(sdf, cone, rays, 0.02)
    assert (made >= cone - 1e-6).all()  # nothing outside of the outline
    solid = nodes[(made < 0) & (nodes[..., 1] < -0.1)]  # of the leg, below where it joins the body
    assert len(solid) > 30
    assert np.abs(solid[:, 2] - behind[2]).max() < 0.15  # no fin along the line of sight
    assert solid[:, 1].min() < -0.55  # down to its foot
    body_before, body_after = (((f < 0) & (nodes[..., 1] > 0.2)).sum() for f in (np.maximum(sdf, cone), made))
    assert abs(int(body_after) - int(body_before)) < 0.1 * body_before


def test_an_outline_without_any_solid_is_as_thick_as_wide():
    alpha = np.zeros((64, 64), np.float32)
    alpha[20:40, 20:40] = 1
    rays, cone = seen(alpha, 64)
    made = with_outline(np.full_like(cone, 0.1), cone, rays, 0.02)
    assert ((made < 0) <= (cone < 0)).all()
    solid = np.stack(np.nonzero(made < 0))
    across, along = np.ptp(solid[0]), np.ptp(solid[2])
    assert across > 4 and 0.7 < along / across < 1.4
    assert abs(solid[2].mean() - 31.5) < 2  # the middle of the cube
