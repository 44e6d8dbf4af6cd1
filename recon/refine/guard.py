"""What must not happen to a mesh whose vertices are moved: faces that turn over, lose their area or pass through."""

import numpy as np

from zero123pp.recon.meshing import degenerate_faces, is_sound
from zero123pp.recon.refine.intersections import intersecting_faces
from zero123pp.types import Mesh

_ROUNDS = 40


def held_back(before: Mesh, after: np.ndarray) -> tuple[Mesh, int]:
    """The mesh with its vertices moved as far as that keeps it valid.

    Corners of faces that turn over, become degenerate, or pass through other faces which they did not pass through
    before, go back halfway and, if that does not help, all the way; their neighbours at least halfway, so that no step
    arises between them. If faults remain, or the mesh is not the surface of a solid any more though it was one, it
    stays as it was.

    Args:
        before: the valid mesh.
        after: (N, 3) where its vertices are to go.

    Returns:
        The mesh, and the number of vertices that were held back.
    """
    start = before.vertices.astype(np.float64)
    move = np.asarray(after, np.float64) - start
    share = np.ones(len(start))
    crossed = intersecting_faces(start, before.faces)
    flat = degenerate_faces(before)
    for _ in range(_ROUNDS):
        moved = before.with_vertices((start + share[:, None] * move).astype(np.float32))
        faulty = _faults(before, moved, crossed, flat)
        if not faulty.any():
            break
        corners = np.unique(before.faces[faulty])
        if not share[corners].any():  # the fault comes from around: widen the patch
            corners = _with_neighbours(before.faces, corners)
        share[corners] = np.where(share[corners] > 0.5, 0.5, 0.0)
        around = _with_neighbours(before.faces, np.flatnonzero(share == 0))
        share[around] = np.minimum(share[around], 0.5)
    if faulty.any() or (not is_sound(moved) and is_sound(before)):
        return before, len(start)
    return moved, int((share < 1).sum())


def _with_neighbours(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """The vertices and all that share a face with one of them."""
    return np.unique(faces[np.isin(faces, vertices).any(1)])


def _faults(before: Mesh, moved: Mesh, crossed: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """(F,) bool, faces that the move has spoilt."""
    one, other = _crosses(before), _crosses(moved)
    faulty = (one * other).sum(1) <= 0
    faulty[degenerate_faces(moved)] = True
    faulty[flat] = False
    return faulty | (intersecting_faces(moved.vertices, moved.faces) & ~crossed)


def _crosses(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices.astype(np.float64)[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)
