"""Ambient occlusion against what is known: a ball hides nothing of itself, a wall hides half of the floor's sky."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.texturing import occlusion_of
from zero123pp.recon.texturing.unwrap import unwrap
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick


def with_atlas(mesh: Mesh, size: int = 128) -> tuple[TexturedMesh, np.ndarray, np.ndarray]:
    """The mesh with flat normals in an atlas, where its texels lie on it (n, 3), and which these are (H, W) bool."""
    split = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    atlas = unwrap(mesh, size, 2)
    uvs = atlas.uvs[atlas.faces.reshape(-1)]
    asset = TexturedMesh(split, uvs, np.zeros((size, size, 3), np.uint8), np.repeat(normals, 3, 0))
    fragments = rasterize_uv(uvs, split.faces, size, size)
    return asset, fragments.interpolate(split.faces, split.vertices), fragments.covered


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (0.01, 5)])
def test_a_ball_sees_the_whole_sky_whatever_its_size_and_place(scale, offset):
    ball = icosphere(3)
    asset, _, covered = with_atlas(Mesh(ball.vertices * scale + offset, ball.faces))
    assert occlusion_of(asset, 128)[covered].min() > 0.97 * 255


def test_floor_beside_a_wall_sees_what_the_wall_leaves():
    """At distance d of a wall of height h, long on both sides, 1 - (1 - d / sqrt(d^2 + h^2)) / 2 of the light."""
    section = np.array([[0, 0], [6, 0], [6, 1], [1, 1], [1, 3], [0, 3]], float)  # a floor at y = 1, a wall at x = 1
    corners = np.concatenate([np.column_stack([section, np.full(6, z)]) for z in (-10.0, 10.0)])
    caps = [[0, 1, 2], [0, 2, 3], [0, 3, 5], [3, 4, 5]]
    faces = [[a, c, b] for a, b, c in caps] + [[a + 6, b + 6, c + 6] for a, b, c in caps]
    for k in range(6):
        n = (k + 1) % 6
        faces += [[k, n, n + 6], [k, n + 6, k + 6]]
    asset, places, covered = with_atlas(Mesh(corners, faces), 256)
    seen = occlusion_of(asset, 256)[covered] / 255
    floor = (np.abs(places[:, 1] - 1) < 1e-4) & (np.abs(places[:, 2]) < 2) & (places[:, 0] > 1.4) & (places[:, 0] < 5.8)
    far = places[floor, 0] - 1
    wanted = 1 - (1 - far / np.hypot(far, 2)) / 2
    assert (
        floor.sum() > 100 and np.abs(seen[floor] - wanted).mean() < 0.03 and np.abs(seen[floor] - wanted).max() < 0.08
    )
    outside = (places[:, 1] < 1e-4) & (np.abs(places[:, 2]) < 2)
    assert seen[outside].min() > 0.97


def test_the_same_bytes_twice_in_the_texture_s_shape():
    asset, _, _ = with_atlas(icosphere(2), 64)
    first = occlusion_of(asset, 32)
    assert first.shape == (32, 32) and np.array_equal(first, occlusion_of(asset, 32))
