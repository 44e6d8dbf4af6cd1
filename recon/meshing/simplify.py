"""Fewer triangles by quadric edge collapse (Garland and Heckbert 1997), by one library or another."""

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.recon.meshing import topology
from zero123pp.types import Mesh

_one_at_a_time = threading.Lock()
"""fast_simplification keeps its mesh in global variables: two threads in it would get each other's."""


class Attempt(NamedTuple):
    """One way to collapse edges."""

    how: str
    """In words, for the report."""
    collapsed: Callable[[Mesh, int], Mesh]
    """A mesh and the number of triangles to reach; returns a mesh without colours."""


def _by_fast_simplification(mesh: Mesh, target: int, aggressiveness: int) -> Mesh:
    import fast_simplification

    with _one_at_a_time:
        vertices, faces = fast_simplification.simplify(
            np.array(mesh.vertices), np.array(mesh.faces), target_count=target, agg=aggressiveness
        )
    return topology.without_redundant_faces(Mesh(vertices, faces.astype(np.int32)))


def _by_meshlab(mesh: Mesh, target: int) -> Mesh:
    try:
        import pymeshlab
    except ImportError as error:
        raise MissingBackend(
            "clean.simplifier=meshlab needs pymeshlab (GPL-3.0): pip install 'zero123pp[meshlab]'"
        ) from error
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(mesh.vertices.astype(np.float64), mesh.faces))
    meshes.meshing_decimation_quadric_edge_collapse(
        targetfacenum=target, preservetopology=True, preservenormal=True, planarquadric=True, autoclean=False
    )
    result = meshes.current_mesh()
    return topology.without_redundant_faces(
        Mesh(result.vertex_matrix().astype(np.float32), result.face_matrix().astype(np.int32))
    )


SIMPLIFIERS = {
    "fast": (
        Attempt("quadric", partial(_by_fast_simplification, aggressiveness=7)),
        Attempt("quadric, gently", partial(_by_fast_simplification, aggressiveness=5)),
        Attempt("quadric, very gently", partial(_by_fast_simplification, aggressiveness=3)),
    ),
    "meshlab": (Attempt("quadric, by MeshLab", _by_meshlab),),
}
"""Name -> what is tried, in this order."""
