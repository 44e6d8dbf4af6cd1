"""Triangles without height, removed by collapsing their shortest edge: renderers and solvers divide by their area."""

import numpy as np

from zero123pp.types import Mesh

LEAST_HEIGHT = 1e-5
"""Triangles lower than this share of the mesh's size are degenerate."""

_LONGEST_EDGE = 2e-3
"""Edges up to this share of the mesh's size are collapsed; it is far below a voxel."""


def degenerate_faces(mesh: Mesh) -> np.ndarray:
    """Indices of the triangles lower than `LEAST_HEIGHT` times the longest side of the mesh's box."""
    heights, _ = _heights(mesh.vertices.astype(np.float64), mesh.faces)
    return np.flatnonzero(heights < LEAST_HEIGHT * _size(mesh.vertices))


def without_slivers(mesh: Mesh) -> Mesh:
    """The mesh with its degenerate triangles gone, as far as that changes neither its topology nor its shape.

    An edge is collapsed into one of its ends when it has two faces, when its ends have only the two opposite corners
    as common neighbours (the link condition: a closed surface stays closed and manifold), and when no face turns over.
    Colours go with the vertices that stay.
    """
    vertices, faces = mesh.vertices.astype(np.float64), np.array(mesh.faces)
    size = _size(vertices)
    given_up: set[tuple[int, int]] = set()
    while True:
        heights, shortest = _heights(vertices, faces)
        edges = _short_edges(vertices, faces, heights < LEAST_HEIGHT * size, shortest, _LONGEST_EDGE * size)
        edge = next((edge for edge in edges if edge not in given_up), None)
        if edge is None:
            break
        collapsed = _collapsed(vertices, faces, *edge)
        if collapsed is None:
            collapsed = _collapsed(vertices, faces, edge[1], edge[0])
        if collapsed is None:
            given_up.add(edge)
        else:
            faces = collapsed
    if len(faces) == len(mesh.faces):
        return mesh
    used, compact = np.unique(faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    return Mesh(mesh.vertices[used], compact.reshape(-1, 3).astype(np.int32), colors)


def _size(vertices: np.ndarray) -> float:
    return float(np.ptp(vertices, axis=0).max()) if len(vertices) else 0.0


def _heights(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least height (F,) of each triangle, and which of its edges is the shortest (F,): 0 from corner 0 to 1, ..."""
    corners = vertices[faces]  # (F, 3, 3)
    lengths = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
    doubled = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return doubled / np.maximum(lengths.max(1), 1e-300), lengths.argmin(1)


def _short_edges(
    vertices: np.ndarray, faces: np.ndarray, low: np.ndarray, shortest: np.ndarray, longest: float
) -> list[tuple[int, int]]:
    """The shortest edge of each low triangle, lower index first, those longer than ``longest`` left out."""
    rows = np.flatnonzero(low)
    ends = np.sort(np.stack([faces[rows, shortest[rows]], faces[rows, (shortest[rows] + 1) % 3]], axis=1), axis=1)
    length = np.linalg.norm(vertices[ends[:, 0]] - vertices[ends[:, 1]], axis=1)
    return [(int(a), int(b)) for (a, b), each in zip(ends, length) if each <= longest]


def _collapsed(vertices: np.ndarray, faces: np.ndarray, keep: int, drop: int) -> np.ndarray | None:
    """The faces after ``drop`` moved onto ``keep``; None where that would change the topology or turn a face over."""
    of_keep, of_drop = (faces == keep).any(1), (faces == drop).any(1)
    both = of_keep & of_drop
    common = np.intersect1d(faces[of_keep], faces[of_drop])
    if both.sum() != 2 or len(common) != 4 or len(faces) <= 4:  # the two ends and the two opposite corners
        return None
    stays = of_drop & ~both
    before, after = faces[stays], np.where(faces[stays] == drop, keep, faces[stays])
    old, new = (_normals(vertices, each) for each in (before, after))
    turned = (old * new).sum(1)
    real = np.linalg.norm(old, axis=1) > 0
    if (turned[real] < 0).any() or (np.linalg.norm(new, axis=1) == 0).any():
        return None
    moved = np.array(faces)
    moved[stays] = after
    return moved[~both]


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals (F, 3) of twice the area's length."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)
