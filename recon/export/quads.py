"""Triangles joined to quads, for editors: by MeshLab (``zero123pp[meshlab]``, GPL-3.0)."""

from types import ModuleType

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.types import Mesh


def check_quads() -> ModuleType:
    """The library; MissingBackend where it is not installed."""
    try:
        import pymeshlab
    except ImportError as error:
        raise MissingBackend("--quads needs pymeshlab (GPL-3.0): pip install 'zero123pp[meshlab]'") from error
    return pymeshlab


def with_quads(mesh: Mesh) -> list[list[int]]:
    """The faces of a mesh as vertex indices, most of them four: pairs of triangles that together are nearly square.

    No vertex moves and no edge is new, so texture coordinates stay, no quad crosses a UV seam, and a closed surface is
    closed. Triangles that find no partner stay.
    """
    pymeshlab = check_quads()
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(mesh.vertices.astype(np.float64), mesh.faces))
    meshes.meshing_tri_to_quad_dominant(level="Better quad shape")
    return [list(map(int, face)) for face in meshes.current_mesh().polygonal_face_list()]
