"""A mesh that is only painted: what is kept of it, and when its UVs are."""

import dataclasses

import numpy as np
import pytest
import shapes

from zero123pp.cameras import orbit_camera
from zero123pp.recon.render import render
from zero123pp.recon.texturing import TextureConfig, kept_mesh, texture
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick


def textured_quad(uvs) -> TexturedMesh:
    """Two triangles with four vertices of their own each."""
    vertices = np.float32(
        [[-0.3, -0.3, 0], [0.3, -0.3, 0], [0.3, 0.3, 0], [-0.3, -0.3, 0], [0.3, 0.3, 0], [-0.3, 0.3, 0]]
    )
    faces = np.int32([[0, 1, 2], [3, 4, 5]])
    normals = np.tile(np.float32([0, 0, 1]), (6, 1))
    return TexturedMesh(Mesh(vertices, faces), np.float32(uvs), np.zeros((4, 4, 3), np.uint8), normals)


APART = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.6, 0.6], [0.9, 0.9], [0.6, 0.9]]


def test_uvs_without_overlaps_are_kept():
    part = textured_quad(APART)
    kept = kept_mesh([part], [part], 64)
    assert kept.atlas is not None and kept.atlas.charts == 2 and len(kept.mesh.vertices) == 4
    np.testing.assert_array_equal(kept.atlas.uvs, part.uvs)
    # The atlas' vertices are copies of the welded mesh's.
    np.testing.assert_array_equal(kept.mesh.vertices[kept.atlas.vertex], part.mesh.vertices)


@pytest.mark.parametrize(
    "uvs",
    [np.float32(APART)[[0, 1, 2, 0, 1, 2]], np.float32(APART) * 2, np.zeros((6, 2), np.float32)],
    ids=["two faces share texels", "beyond the unit square", "no room"],
)
def test_other_uvs_are_made_anew(uvs):
    part = textured_quad(uvs)
    assert kept_mesh([part], [part], 64).atlas is None
    assert kept_mesh([part, textured_quad(APART)], [part, textured_quad(APART)], 64).atlas is None


def test_the_geometry_comes_back_to_the_bit():
    """Unwrapping cuts and the frame rounds; what is written has the given places, faces and sharp edges."""
    ball = shapes.icosphere(2)
    given = Mesh((ball.vertices * 37 + [5, -3, 11]).astype(np.float32), ball.faces)
    corner = np.cross(
        given.vertices[given.faces[:, 1]] - given.vertices[given.faces[:, 0]],
        given.vertices[given.faces[:, 2]] - given.vertices[given.faces[:, 0]],
    )
    flat = np.repeat(corner / np.linalg.norm(corner, axis=1, keepdims=True), 3, 0).astype(np.float32)
    split = Mesh(given.vertices[given.faces.reshape(-1)], np.arange(given.faces.size, dtype=np.int32).reshape(-1, 3))
    part = TexturedMesh(split, np.zeros((given.faces.size, 2), np.float32), np.zeros((4, 4, 3), np.uint8), flat)
    moved = dataclasses.replace(part, mesh=split.with_vertices((split.vertices - [5, -3, 11]) / 74))
    kept = kept_mesh([part], [moved], 128)
    assert kept.atlas is None and len(kept.mesh.vertices) == len(ball.vertices)
    gray = dataclasses.replace(kept.mesh, colors=np.full((len(ball.vertices), 3), 90, np.uint8))
    view = render(gray, orbit_camera(0, 10, 1.866, 30, 64))
    painted, _ = texture(kept.mesh, [view], TextureConfig(size=128))
    back = kept.with_texture(painted)
    np.testing.assert_array_equal(back.mesh.vertices[back.mesh.faces], split.vertices[split.faces])
    np.testing.assert_array_equal(back.uvs[back.mesh.faces], painted.uvs[painted.mesh.faces])
    np.testing.assert_allclose(back.normals[back.mesh.faces], flat.reshape(-1, 3, 3), atol=1e-3)
