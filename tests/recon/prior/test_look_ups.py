"""Distances from the cones of the outlines, which the prior's networks get and begin as."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from balls import ball_views  # noqa: E402

from zero123pp.recon.fitting.hull import Silhouettes  # noqa: E402
from zero123pp.recon.prior.framing import picture_outline, projection  # noqa: E402
from zero123pp.recon.prior.kernels import outline_distances  # noqa: E402
from zero123pp.recon.prior.look_ups import outline_at  # noqa: E402
from zero123pp.recon.prior.network import ShapePrior  # noqa: E402

HALF = 0.45


@pytest.fixture(scope="module")
def scene():
    """Outlines and projections of a ball that is off the centre, seen by a rig."""
    views = ball_views(size=96, radius=0.3, centre=(0.05, -0.03, 0.08)).views
    matrices = [
        projection(v.camera.world_from_cam, np.array([v.camera.fx, v.camera.fy, v.camera.cx, v.camera.cy]), 96,
                   np.zeros(3), HALF)
        for v in views
    ]  # fmt: skip
    return views, np.stack([picture_outline(v.alpha) for v in views]), np.stack(matrices).astype(np.float32)


def _both(outlines, matrices, points):
    found = outline_distances(outlines, matrices, points)
    expected = outline_at(*(torch.from_numpy(a)[None] for a in (outlines, matrices, points)))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)
    return found


def test_the_largest_is_the_visual_hull(scene):
    views, outlines, matrices = scene
    n = 24
    hull = Silhouettes(views).grid(n, HALF, radius=2.0).reshape(-1) / HALF
    axis = np.linspace(-1, 1, n, dtype=np.float32)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    found = _both(outlines, matrices, nodes)
    near = np.abs(hull) < 0.1
    assert near.sum() > 500
    np.testing.assert_allclose(found[near, 0], hull[near], atol=5e-3)
    assert (found[:, 1] <= found[:, 0]).all()


def test_for_one_picture_both_are_its_own(scene):
    _, outlines, matrices = scene
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype(np.float32)
    found = _both(outlines[:1], matrices[:1], points)
    assert (found[:, 0] == found[:, 1]).all() and (found < 0).any() and (found > 0).any()


def test_pictures_without_an_outline_have_numbers():
    empty, full = picture_outline(np.zeros((32, 32), np.float32)), picture_outline(np.ones((32, 32), np.float32))
    assert (empty == 2).all() and (full == -2).all()


def test_a_fresh_network_is_the_visual_hull(scene):
    _, outlines, matrices = scene
    network = ShapePrior().eval()
    outlines, matrices = torch.from_numpy(outlines)[None], torch.from_numpy(matrices)[None]
    points = torch.rand(1, 300, 3) * 2 - 1
    with torch.no_grad():
        maps, _, _ = network.encoder(torch.rand(6, 8, 96, 96))
        volume = network.encode_volume(maps[None], outlines, matrices, 24)
        distances, _ = network.decode(volume, maps[None], outlines, matrices, points)
    hull = outline_at(outlines, matrices, points)[..., 0]
    torch.testing.assert_close(distances, hull.clamp(-0.03, 0.1), atol=1e-6, rtol=0)
