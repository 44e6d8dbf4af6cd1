"""Tangents at vertices, as the bakers and readers of normal maps agree on them: MikkTSpace.

Mikkelsen, "Simulation of wrinkled surfaces revisited", 2008, and his mikktspace.c, which the glTF specification names
as the default. A pixel's normal is x T + y B + z N, with the interpolated normal N and tangent T as they are, without
making them unit again, and B = sign cross(N, T).
"""

from dataclasses import replace

import numpy as np

from zero123pp.recon.meshing import smooth_normals
from zero123pp.types import Mesh, TexturedMesh

FLAT = 1e-20
"""Twice the area in the texture up to which a triangle has no directions of its own there."""


def with_tangents(asset: TexturedMesh) -> TexturedMesh:
    """The asset with a tangent at each vertex; vertices where the texture is mirrored are there once for each side."""
    mesh = asset.mesh
    normals = smooth_normals(mesh) if asset.normals is None else asset.normals
    group, corner_sign = _groups(mesh.faces, asset.uvs)
    first = np.unique(group, return_index=True)[1]
    corners = mesh.faces.reshape(-1)
    vertex = corners[first]  # of each group, the vertex that it is a copy of
    if len(first) == len(mesh.vertices):  # nothing to split: keep the vertices in their order
        group, vertex, first = corners, np.arange(len(mesh.vertices)), np.unique(corners, return_index=True)[1]
    tangent = _tangents(mesh, asset.uvs, normals, group, len(vertex))
    split = Mesh(mesh.vertices[vertex], group.reshape(-1, 3), None if mesh.colors is None else mesh.colors[vertex])
    tangents = np.concatenate([tangent, corner_sign[first][:, None]], axis=1).astype(np.float32)
    return replace(asset, mesh=split, uvs=asset.uvs[vertex], normals=normals[vertex], tangents=tangents)


def _groups(faces: np.ndarray, uvs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which corners (3 F,) share a tangent, numbered from 0, and the sign (3 F,) of each corner's bitangent.

    Those do that lie at one vertex, in triangles that are joined by edges and turn the same way in the texture.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from zero123pp.recon.texturing.charts import face_neighbours

    neighbours = face_neighbours(faces)
    sign = np.sign(np.where(np.abs(area := _area(uvs[faces])) > FLAT, area, 0))
    for _ in range(4):  # a triangle that is a line in the texture goes with one beside it
        beside = np.where(neighbours >= 0, sign[neighbours], 0).sum(1)
        sign = np.where(sign == 0, np.sign(beside), sign)
    sign[sign == 0] = 1
    ends = []
    for side in range(3):
        face = np.flatnonzero((neighbours[:, side] >= 0) & (sign[neighbours[:, side]] == sign))
        other = neighbours[face, side]
        for corner in (side, (side + 1) % 3):
            at = np.argmax(faces[other] == faces[face, corner][:, None], axis=1)
            ends.append(np.stack([3 * face + corner, 3 * other + at]))
    one, two = np.concatenate(ends, axis=1)
    graph = coo_array((np.ones(len(one), np.int8), (one, two)), (faces.size, faces.size))
    return connected_components(graph, directed=False)[1], np.repeat(sign, 3)


def _tangents(mesh: Mesh, uvs: np.ndarray, normals: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Unit tangents (count, 3): the mean over the corners of a group, each with its angle on the normal's plane."""
    faces = mesh.faces
    corners, flat = mesh.vertices[faces].astype(np.float64), uvs[faces].astype(np.float64)
    along = _face_tangents(corners, flat)
    total = np.zeros((count, 3))
    for corner in range(3):
        normal = normals[faces[:, corner]].astype(np.float64)
        to_next = _on_plane(corners[:, (corner + 1) % 3] - corners[:, corner], normal)
        to_last = _on_plane(corners[:, corner - 1] - corners[:, corner], normal)
        weight = np.arccos(np.clip((to_next * to_last).sum(-1), -1, 1))
        part = weight[:, None] * _on_plane(along, normal)
        for axis in range(3):
            total[:, axis] += np.bincount(group[corner::3], part[:, axis], count)
    owner = np.zeros(count, np.int64)
    owner[group] = faces.reshape(-1)
    normal = normals[owner].astype(np.float64)
    helper = np.where(np.abs(normal[:, :1]) < 0.9, [[1.0, 0, 0]], [[0.0, 1, 0]])
    lost = np.linalg.norm(total, axis=1) < 1e-12  # any direction will do
    return _unit(np.where(lost[:, None], _on_plane(helper, normal), total))


def _face_tangents(corners: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """(F, 3) unit vectors in which u grows, 0 where the triangle is a line in the texture."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    v_one, v_two = (flat[:, 1] - flat[:, 0])[:, 1:], (flat[:, 2] - flat[:, 0])[:, 1:]
    area = _area(flat)[:, None]
    return _unit(np.where(np.abs(area) > FLAT, np.sign(area) * (v_two * one - v_one * two), 0))


def _area(flat: np.ndarray) -> np.ndarray:
    """(F,) twice the signed area of triangles (F, 3, 2), positive where they run counter-clockwise."""
    one, two = (flat[:, 1] - flat[:, 0]).astype(np.float64), (flat[:, 2] - flat[:, 0]).astype(np.float64)
    return one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]


def _on_plane(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Unit vectors across unit normals, (N, 3) each."""
    return _unit(vectors - normals * (normals * vectors).sum(-1, keepdims=True))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 1e-30, length, 1)
