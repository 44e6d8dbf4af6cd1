"""Fewer triangles under the same texture."""

from types import ModuleType

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.meshing import is_sound, welded
from zero123pp.types import Mesh, Part, TexturedMesh

WITHIN = 0.01
"""Share of the wanted triangles by which a mesh may have fewer, where its surface would else not stay closed."""


def with_faces(asset: Part, faces: int) -> Part:
    """The asset with at most so many triangles, by meshoptimizer (quadric edge collapse).

    Vertices that stay keep their place, texture coordinates and normals, and the two sides of a UV seam collapse
    together: all meshes that are made so share the texture of the first. A surface that was sound stays so where some
    number of triangles within `WITHIN` allows it.

    Raises:
        BadInput: fewer than 4 triangles are asked for.
        MissingBackend: meshoptimizer is not installed.
    """
    if faces < 4:
        raise BadInput(f"{faces} triangles are asked for; expected at least 4")
    mesh = geometry_of(asset)
    if faces >= len(mesh.faces):
        return asset
    must_be_sound = is_sound(welded(Mesh(mesh.vertices, mesh.faces)))
    first = None
    for target in range(faces, faces - max(int(faces * WITHIN), 1) - 1, -1):
        kept = _collapsed(mesh, target)
        first = kept if first is None else first
        if not must_be_sound or is_sound(welded(Mesh(mesh.vertices, kept))):
            return _of_faces(asset, kept)
    return _of_faces(asset, first)


def geometry_of(asset: Part) -> Mesh:
    """The mesh of an asset, with its UV seams."""
    return asset.mesh if isinstance(asset, TexturedMesh) else asset


def meshoptimizer() -> ModuleType:
    """The library; MissingBackend where it is not installed."""
    try:
        import meshoptimizer
    except ImportError as error:
        raise MissingBackend(
            "fewer triangles under the same texture need meshoptimizer: pip install 'zero123pp[lods]'"
        ) from error
    return meshoptimizer


def _collapsed(mesh: Mesh, target: int) -> np.ndarray:
    """Faces (F, 3) over the same vertices, at most ``target``."""
    indices = np.array(mesh.faces.reshape(-1), np.uint32)
    kept = np.zeros_like(indices)
    count = meshoptimizer().simplify(
        kept, indices, np.array(mesh.vertices), target_index_count=3 * target, target_error=1.0
    )
    faces = kept[:count].reshape(-1, 3).astype(np.int32)
    # Where a thin part collapses, two triangles may lie back to back: the surface is closed without them.
    corners = np.sort(welded(Mesh(mesh.vertices, faces)).faces, axis=1)
    _, which, times = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    return faces[times[which.reshape(-1)] == 1]


def _of_faces(asset: Part, faces: np.ndarray) -> Part:
    """The asset with these faces over its vertices, without those that no face uses."""
    used, faces = np.unique(faces, return_inverse=True)
    faces, mesh = faces.reshape(-1, 3).astype(np.int32), geometry_of(asset)
    fewer = Mesh(mesh.vertices[used], faces, None if mesh.colors is None else mesh.colors[used])
    if not isinstance(asset, TexturedMesh):
        return fewer
    normals = None if asset.normals is None else asset.normals[used]
    return TexturedMesh(fewer, asset.uvs[used], asset.base_color, normals, asset.confidence)
