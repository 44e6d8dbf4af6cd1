"""Objects as they are stored and shaded."""

import numpy as np
import pytest

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.quick


def test_smooth_surfaces_are_shaded_smoothly_and_edges_stay():
    from zero123pp.train.one_view.solids import corner_normals

    ball = trimesh.creation.icosphere(3)
    found = corner_normals(np.float32(ball.vertices), ball.faces)
    assert (found * ball.vertices[ball.faces]).sum(-1).min() > 0.995
    cube = trimesh.creation.box()
    flat = corner_normals(np.float32(cube.vertices), cube.faces)
    np.testing.assert_allclose(flat, np.repeat(cube.face_normals[:, None], 3, 1), atol=1e-6)
    # A seam of the texture splits vertices, and the shading does not show it.
    split = corner_normals(np.float32(ball.vertices[ball.faces.ravel()]), np.arange(ball.faces.size).reshape(-1, 3))
    np.testing.assert_allclose(split, found, atol=1e-5)


def test_any_mesh_becomes_a_unit_solid():
    from zero123pp.train.one_view import Solid

    cube = trimesh.creation.box((2, 4, 1))
    solid = Solid.of(np.array(cube.vertices) + 7, np.array(cube.faces), None, "box")
    assert np.linalg.norm(solid.vertices, axis=1).max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(solid.vertices.min(0), -solid.vertices.max(0), atol=1e-5)


def test_texture_is_read_as_gltf_says():
    """The first row of a texture is v = 1; texel centres hold their own colour; it repeats."""
    from zero123pp.train.one_view import StoredPaint

    texture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    uv = np.array([[[0.25, 0.75]] * 3, [[1.75, -0.75]] * 3], np.float32)
    paint = StoredPaint(uv, np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.int16), (texture,))
    np.testing.assert_allclose(
        paint(np.array([0, 1]), np.full((2, 3), 1 / 3)), [texture[0, 0], texture[1, 1]], atol=1e-4
    )
