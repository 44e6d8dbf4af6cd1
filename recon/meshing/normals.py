"""Normals of triangles and of vertices."""

import numpy as np

from zero123pp.types import Mesh


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3) of triangles, outward where they run counter-clockwise; 0 for a triangle without area."""
    a, b, c = (np.asarray(vertices, np.float64)[faces[:, i]] for i in range(3))
    return _unit(np.cross(b - a, c - a))


def smooth_normals(mesh: Mesh) -> np.ndarray:
    """Unit vertex normals (Nv, 3) float32, equal at vertices of equal position (so also across a UV seam).

    Each face counts with its angle at the vertex (Thuermer and Wuethrich, "Computing vertex normals from polygonal
    facets", 1998), so the result does not depend on how a flat region is triangulated.
    """
    positions, welded = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = welded.reshape(-1)[mesh.faces]
    corners = positions.astype(np.float64)[faces]  # (F, 3 corners, 3)
    normals = face_normals(positions, faces)
    total = np.zeros((len(positions), 3))
    for i in range(3):
        to_next = _unit(corners[:, (i + 1) % 3] - corners[:, i])
        to_previous = _unit(corners[:, (i + 2) % 3] - corners[:, i])
        angle = np.arccos(np.clip((to_next * to_previous).sum(-1), -1, 1))
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, i], angle * normals[:, axis], len(positions))
    return _unit(total)[welded.reshape(-1)].astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of length one; 0 stays 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
