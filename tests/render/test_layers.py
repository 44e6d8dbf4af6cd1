"""Ray layers against solids whose crossings are known, and against an independent ray caster."""

import numpy as np
import pytest

from zero123pp.render import first_hits, ray_layers

pytestmark = pytest.mark.quick

TAN = 0.25
SIDE = 48


def box(low, high):
    """Vertices and faces of a box, faces turning against the clock seen from outside."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6),
             (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip
    low, high = np.array(low, float), np.array(high, float)
    return (low + corners * (high - low)).astype(np.float32), np.array(faces, np.int32)


def joined(*meshes):
    vertices, faces, first = [], [], 0
    for v, f in meshes:
        vertices.append(v)
        faces.append(f + first)
        first += len(v)
    return np.concatenate(vertices), np.concatenate(faces)


def test_two_slabs_give_four_layers():
    """A ray through the middle enters and leaves each slab: entry, exit, entry, exit at their faces."""
    near, far = box((-0.4, -0.4, 2.0), (0.4, 0.4, 2.2)), box((-0.4, -0.4, 2.6), (0.4, 0.4, 3.0))
    found = ray_layers(*joined(near, far), TAN, SIDE)
    middle = found.depth[:, SIDE // 2 - 4 : SIDE // 2 + 4, SIDE // 2 - 4 : SIDE // 2 + 4]
    for layer, z in zip(middle, (2.0, 2.2, 2.6, 3.0)):
        np.testing.assert_allclose(layer, z, atol=1e-5)


def test_overlapping_solids_count_as_one():
    """Where two boxes overlap the first exit is the end of both, not of the first."""
    found = ray_layers(
        *joined(box((-0.4, -0.4, 2.0), (0.4, 0.4, 2.6)), box((-0.4, -0.4, 2.3), (0.4, 0.4, 3.0))), TAN, SIDE
    )
    centre = found.depth[:, SIDE // 2, SIDE // 2]
    np.testing.assert_allclose(centre, (2.0, 3.0, 2.0, 3.0), atol=1e-5)


def test_open_meshes_have_no_inner_layers():
    vertices, faces = box((-0.4, -0.4, 2.0), (0.4, 0.4, 2.6))
    flat = np.isclose(vertices[faces][..., 2], 2.6).all(1)  # the far side is taken off
    found = ray_layers(vertices, faces[~flat], TAN, SIDE)
    centre = found.depth[:, SIDE // 2, SIDE // 2]
    assert np.isnan(centre[1:3]).all() and centre[0] == pytest.approx(2.0)


def test_no_ray_counts_a_shared_edge_twice():
    """Every ray crosses a closed mesh an even number of times, so the inner layers are known wherever it is met."""
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(3, 0.4)
    vertices = (ball.vertices + np.array([0.03, -0.02, 2.5])).astype(np.float32)
    found = ray_layers(vertices, ball.faces.astype(np.int32), TAN, 160)
    met = np.isfinite(found.depth[0])
    assert met.sum() > 3000
    assert np.isfinite(found.depth[1][met]).mean() > 0.999
    # All crossings of a ray with a sphere lie on it.
    at = ((np.arange(160) + 0.5) / 80 - 1) * TAN
    rays = np.stack(np.broadcast_arrays(at[None], at[:, None], 1.0), -1)[met]
    for layer in (0, 3):
        points = rays * found.depth[layer][met][:, None] - [0.03, -0.02, 2.5]
        assert np.abs(np.linalg.norm(points, axis=1) - 0.4).max() < 0.005


def test_weights_name_the_place_that_is_met():
    """Corners weighted with them lie at the depth that was found, in the pixel that was asked."""
    rng = np.random.default_rng(0)
    vertices = np.float32([-0.4, -0.4, 2]) + rng.random((40, 3)).astype(np.float32) * np.float32([0.8, 0.8, 1])
    faces = rng.permutation(40)[:39].reshape(13, 3).astype(np.int32)
    depth, face, weights = first_hits(vertices, faces, TAN, SIDE)
    y, x = np.nonzero(face >= 0)
    assert len(y) > 100
    points = np.einsum("nk,nkc->nc", weights[y, x], vertices[faces[face[y, x]]])
    np.testing.assert_allclose(points[:, 2], depth[y, x], rtol=1e-4)
    np.testing.assert_allclose((points[:, 0] / points[:, 2] / TAN + 1) * SIDE / 2, x + 0.5, atol=1e-2)
    layers = ray_layers(vertices, faces, TAN, SIDE)
    np.testing.assert_allclose(layers.depth[0][y, x], depth[y, x], rtol=1e-5)


def test_depths_agree_with_a_ray_caster():
    pytest.importorskip("embreex")
    trimesh = pytest.importorskip("trimesh")
    knot = trimesh.creation.torus(0.3, 0.1, 48, 24)
    vertices = (
        knot.vertices @ trimesh.transformations.rotation_matrix(0.7, [1, 0.3, 0])[:3, :3].T + [0, 0, 2.4]
    ).astype(np.float32)
    found = ray_layers(vertices, knot.faces.astype(np.int32), TAN, SIDE)
    at = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) * TAN
    rays = np.stack(np.broadcast_arrays(at[None], at[:, None], 1.0), -1).reshape(-1, 3)
    mesh = trimesh.Trimesh(vertices, knot.faces, process=False)
    points, ray, _ = mesh.ray.intersects_location(np.zeros_like(rays), rays, multiple_hits=True)
    nearest, farthest = np.full(len(rays), np.inf), np.full(len(rays), -np.inf)
    np.minimum.at(nearest, ray, points[:, 2])
    np.maximum.at(farthest, ray, points[:, 2])
    met = np.isfinite(found.depth[0]).ravel()
    both = met & np.isfinite(nearest)
    assert both.sum() > 0.98 * max(met.sum(), np.isfinite(nearest).sum())
    assert np.abs(found.depth[0].ravel() - nearest)[both].max() < 1e-3
    assert (np.abs(found.depth[3].ravel() - farthest)[both] < 1e-3).mean() > 0.99  # embree skips a grazing hit or two
