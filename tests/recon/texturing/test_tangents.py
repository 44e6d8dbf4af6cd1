"""MikkTSpace tangents: closed forms, a slow reference of the same rules, mirrored and degenerate charts."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.recon.meshing import smooth_normals
from zero123pp.recon.texturing import with_tangents
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

TEXELS = np.full((4, 4, 3), 90, np.uint8)


def asset_of(vertices, faces, uvs, normals=None) -> TexturedMesh:
    return TexturedMesh(Mesh(np.float32(vertices), np.int32(faces)), np.float32(uvs), TEXELS, normals)


def half_ball() -> TexturedMesh:
    """The front of a ball, projected onto its texture."""
    ball = icosphere(2)
    faces = ball.faces[(ball.vertices[ball.faces].mean(1)[:, 2]) > 0.05]
    used, faces = np.unique(faces, return_inverse=True)
    vertices = ball.vertices[used]
    return asset_of(vertices, faces.reshape(-1, 3), vertices[:, :2] + 0.5, smooth_normals(ball)[used])


def reference(asset: TexturedMesh) -> np.ndarray:
    """Tangents (Nv, 4) by loops over vertices and their faces, as mikktspace.c has them; no vertex needs a split."""
    vertices, uvs = asset.mesh.vertices.astype(float), asset.uvs.astype(float)
    result = []
    for v in range(len(vertices)):
        normal, total, signs = asset.normals[v].astype(float), np.zeros(3), set()
        for face in asset.mesh.faces[(asset.mesh.faces == v).any(1)]:
            p, (s, t) = vertices[face], uvs[face].T
            area = (s[1] - s[0]) * (t[2] - t[0]) - (t[1] - t[0]) * (s[2] - s[0])
            tangent = ((t[2] - t[0]) * (p[1] - p[0]) - (t[1] - t[0]) * (p[2] - p[0])) * np.sign(area)
            tangent -= normal * (normal @ tangent)
            corner = list(face).index(v)
            one, two = (p[(corner + step) % 3] - p[corner] for step in (1, 2))
            one, two = (each - normal * (normal @ each) for each in (one, two))
            angle = np.arccos((one @ two) / np.linalg.norm(one) / np.linalg.norm(two))
            total += angle * tangent / np.linalg.norm(tangent)
            signs.add(np.sign(area))
        (sign,) = signs
        result.append([*(total / np.linalg.norm(total)), sign])
    return np.array(result)


def test_a_plane_has_the_direction_of_u():
    corners = np.array([[0, 0, 0], [2, 0, 0], [2, 3, 0], [0, 3, 0]])
    made = with_tangents(asset_of(corners, [[0, 1, 2], [0, 2, 3]], corners[:, :2] / 3))
    assert np.allclose(made.tangents, [1, 0, 0, 1], atol=1e-6) and np.array_equal(made.mesh.vertices, corners)


@pytest.mark.parametrize("turn", [0, 1, 2.5])
def test_a_ball_agrees_with_the_slow_reference(turn):
    asset = half_ball()
    c, s = np.cos(turn), np.sin(turn)
    asset = asset_of(asset.mesh.vertices, asset.mesh.faces, asset.uvs @ [[c, s], [-s, c]], asset.normals)
    made = with_tangents(asset)
    assert np.array_equal(made.mesh.faces, asset.mesh.faces)
    assert np.abs(made.tangents - reference(asset)).max() < 1e-5
    assert np.abs((made.tangents[:, :3] * made.normals).sum(1)).max() < 1e-5


def test_a_vertex_between_mirrored_halves_is_there_twice():
    """A strip of two squares that both have the same part of the texture, one mirrored."""
    vertices = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]]
    uvs = [[0, 0], [1, 0], [0, 0], [0, 1], [1, 1], [0, 1]]
    made = with_tangents(asset_of(vertices, [[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]], uvs))
    assert len(made.mesh.vertices) == 8
    left = made.mesh.vertices[made.mesh.faces].mean(1)[:, 0] < 1
    assert np.allclose(made.tangents[made.mesh.faces[left]], [1, 0, 0, 1], atol=1e-6)
    assert np.allclose(made.tangents[made.mesh.faces[~left]], [-1, 0, 0, -1], atol=1e-6)
    found = made.mesh.vertices[made.mesh.faces]
    assert np.array_equal(found, np.float32(vertices)[[[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]]])


def test_triangles_that_are_lines_in_the_texture_have_tangents_too():
    """One goes with its neighbour; a mesh of nothing else has some tangent across each normal."""
    vertices = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    faces = [[0, 1, 2], [0, 2, 3]]
    made = with_tangents(asset_of(vertices, faces, [[0, 0], [1, 0], [1, 1], [0.5, 0.5]]))
    assert len(made.mesh.vertices) == 4 and np.allclose(made.tangents, [1, 0, 0, 1], atol=1e-6)
    lost = with_tangents(asset_of(vertices, faces, np.zeros((4, 2))))
    assert np.allclose(np.linalg.norm(lost.tangents[:, :3], axis=1), 1) and np.allclose(lost.tangents[:, 2], 0)
    assert set(lost.tangents[:, 3]) == {1}
