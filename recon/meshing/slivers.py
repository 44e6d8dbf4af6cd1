"""Triangles without height, removed by collapsing their shortest edge: renderers and solvers divide by their area."""

from heapq import heappop, heappush

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
    Of the triangles that are degenerate the first in the list goes first. Colours go with the vertices that stay.

    All faces are measured once; a collapse looks at those round its ends only, so the work grows with the number of
    faces and of slivers, not with their product.
    """
    vertices, surface = mesh.vertices.astype(np.float64), _Surface(mesh.faces, len(mesh.vertices))
    size = _size(vertices)
    least, longest = LEAST_HEIGHT * size, _LONGEST_EDGE * size
    heights, _ = _heights(vertices, mesh.faces)
    waiting = np.flatnonzero(heights < least).tolist()  # sorted, so it is a heap
    given_up: set[tuple[int, int]] = set()
    while waiting:
        face = heappop(waiting)
        edge = _short_edge(vertices, surface.faces[face], least, longest) if surface.alive[face] else None
        if edge is None or edge in given_up:
            continue
        changed = _collapse(vertices, surface, *edge)
        if changed is None:
            changed = _collapse(vertices, surface, edge[1], edge[0])
        if changed is None:
            given_up.add(edge)
            continue
        for each in changed:  # one that is not low, or waits already, is passed over when its turn comes
            heappush(waiting, each)
    if surface.alive.all():
        return mesh
    used, compact = np.unique(surface.faces[surface.alive], return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    return Mesh(mesh.vertices[used], compact.reshape(-1, 3).astype(np.int32), colors)


class _Surface:
    """Faces that can be asked for those round a vertex while edges are collapsed."""

    def __init__(self, faces: np.ndarray, vertex_count: int) -> None:
        self.faces, self.alive, self.count = np.array(faces), np.ones(len(faces), bool), len(faces)
        self._order = np.argsort(self.faces.reshape(-1), kind="stable")
        self._start = np.searchsorted(self.faces.reshape(-1)[self._order], np.arange(vertex_count + 1))
        self._merged: dict[int, list[int]] = {}  # vertices whose faces are others than at first

    def around(self, vertex: int) -> list[int]:
        """Indices of the faces with this corner, rising."""
        if vertex in self._merged:
            return self._merged[vertex]
        corners = self._order[self._start[vertex] : self._start[vertex + 1]]
        return [face for face in np.unique(corners // 3).tolist() if self.alive[face]]

    def merge(self, keep: int, drop: int, gone: list[int]) -> None:
        """Make ``drop`` the same vertex as ``keep``, without the faces ``gone`` that have both."""
        self.alive[gone] = False
        self.count -= len(gone)
        moved = [face for face in self.around(drop) if self.alive[face]]
        self.faces[moved] = np.where(self.faces[moved] == drop, keep, self.faces[moved])
        self._merged[keep] = sorted(face for face in {*self.around(keep), *moved} if self.alive[face])
        self._merged[drop] = []
        for vertex in {*self.faces[gone].flat} - {keep, drop}:
            if vertex in self._merged:
                self._merged[vertex] = [face for face in self._merged[vertex] if self.alive[face]]


def _size(vertices: np.ndarray) -> float:
    return float(np.ptp(vertices, axis=0).max()) if len(vertices) else 0.0


def _heights(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least height (F,) of each triangle, and which of its edges is the shortest (F,): 0 from corner 0 to 1, ..."""
    corners = vertices[faces]  # (F, 3, 3)
    lengths = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
    doubled = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return doubled / np.maximum(lengths.max(1), 1e-300), lengths.argmin(1)


def _short_edge(vertices: np.ndarray, face: np.ndarray, least: float, longest: float) -> tuple[int, int] | None:
    """The shortest edge of a triangle lower than ``least``, lower index first; None if it is longer or not low."""
    heights, shortest = _heights(vertices, face[None])
    start, end = sorted((int(face[shortest[0]]), int(face[(shortest[0] + 1) % 3])))
    if heights[0] < least and np.linalg.norm(vertices[start] - vertices[end]) <= longest:
        return start, end
    return None


def _collapse(vertices: np.ndarray, surface: _Surface, keep: int, drop: int) -> list[int] | None:
    """Move ``drop`` onto ``keep``; None, and nothing moves, where that would change the topology or turn a face over.

    Returns:
        Indices of the faces that have other corners now.
    """
    of_keep, of_drop = surface.around(keep), surface.around(drop)
    both = sorted({*of_keep} & {*of_drop})
    common = np.intersect1d(surface.faces[of_keep], surface.faces[of_drop])
    if len(both) != 2 or len(common) != 4 or surface.count <= 4:  # the two ends and the two opposite corners
        return None
    stays = [face for face in of_drop if face not in both]
    before = surface.faces[stays]
    after = np.where(before == drop, keep, before)
    old, new = (_normals(vertices, each) for each in (before, after))
    turned = (old * new).sum(1)
    real = np.linalg.norm(old, axis=1) > 0
    if (turned[real] < 0).any() or (np.linalg.norm(new, axis=1) == 0).any():
        return None
    surface.merge(keep, drop, both)
    return stays


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals (F, 3) of twice the area's length."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)
