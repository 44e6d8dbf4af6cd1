"""A mesh whose geometry is kept while its texture is painted anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zero123pp.recon.meshing import face_areas, geometry, topology, welded
from zero123pp.recon.texturing.unwrap import Atlas
from zero123pp.types import ByContent, Mesh, Part, TexturedMesh

_SAME_NORMAL = 1000
"""Steps a unit, by which normals of one vertex are told apart: an edge is sharp from a twentieth of a degree."""

_WITHOUT_UV = 0.001
"""Share of the surface that may have no room in the texture."""


@dataclass(frozen=True, eq=False)
class KeptMesh(ByContent):
    """What is painted, and the way back to what was given."""

    given: Mesh
    """As it was given: its own frame, vertices and order of faces."""
    mesh: Mesh
    """In the world frame, vertices of equal place made one, so that seams do not part its surface."""
    normals: np.ndarray | None
    """(F, 3, 3) of the corners of the given faces; None where it came without."""
    atlas: Atlas | None
    """Of ``mesh``, with the given UVs; None where they are missing or share texels: it is unwrapped anew."""

    def with_texture(self, painted: TexturedMesh) -> TexturedMesh:
        """The given geometry with the texture of ``painted``, which was made of `mesh` by `texture`."""
        corner = painted.mesh.faces.reshape(-1)
        normals = painted.normals[corner] if self.normals is None else self.normals.reshape(-1, 3)
        key = np.column_stack([corner, np.round(normals * _SAME_NORMAL)])
        _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
        vertex, faces = corner[first], index.reshape(-1, 3).astype(np.int32)
        places = self.given.vertices[self.given.faces.reshape(-1)[first]]
        return TexturedMesh(
            Mesh(places, faces), painted.uvs[vertex], painted.base_color, normals[first], painted.confidence
        )


def kept_mesh(parts: Sequence[Part], framed: Sequence[Part], texture_px: int) -> KeptMesh:
    """The parts as one mesh to paint.

    Args:
        parts: as they were given.
        framed: the same parts moved into the world frame: +Y up, front to +Z, in the sphere of radius 0.5.
        texture_px: side of the texture; the given UVs are kept where no two faces share one of its texels.
    """
    given = geometry(parts)
    joined = welded(given)  # where they were given: moving rounds, and might join what lies close
    places = np.empty_like(joined.vertices)
    places[joined.faces] = (moved := geometry(framed)).vertices[moved.faces]
    mesh = Mesh(places, joined.faces)
    return KeptMesh(given, mesh, _corner_normals(parts), _given_atlas(parts, joined, texture_px))


def _corner_normals(parts: Sequence[Part]) -> np.ndarray | None:
    if not all(isinstance(part, TexturedMesh) and part.normals is not None for part in parts):
        return None
    return np.concatenate([part.normals[part.mesh.faces] for part in parts])


def _given_atlas(parts: Sequence[Part], joined: Mesh, size: int) -> Atlas | None:
    """The UVs of a single textured part, where they lie in the unit square and share no texel of ``size``."""
    from zero123pp.recon.texturing.atlas_kernels import folded

    if len(parts) != 1 or not isinstance(parts[0], TexturedMesh):
        return None
    uvs, faces = parts[0].uvs, parts[0].mesh.faces
    used = np.unique(faces)
    if uvs[used].min() < 0 or uvs[used].max() > 1:
        return None
    texels = (uvs.astype(np.float64) * [1, -1] + [0, 1]) * size
    a, b, c = (texels[faces[:, k]] for k in range(3))
    flat = (b - a)[:, 0] * (c - a)[:, 1] == (b - a)[:, 1] * (c - a)[:, 0]
    areas = face_areas(parts[0].mesh)
    if areas[flat].sum() > _WITHOUT_UV * areas.sum() or folded(texels, faces, size).any():
        return None
    owner = np.zeros(len(uvs), np.int64)
    owner[faces.reshape(-1)] = joined.faces.reshape(-1)
    _, charts, _ = topology.components(parts[0].mesh)
    return Atlas(owner, faces, uvs, len(charts))


def colored(mesh: Mesh, color: np.ndarray) -> Mesh:
    """The mesh with one colour (3,) uint8 at all vertices."""
    return replace(mesh, colors=np.broadcast_to(color, (len(mesh.vertices), 3)).astype(np.uint8))
