"""Facts about the connectivity of triangle meshes, and the repairs that need nothing else.

Pieces come from scipy's graphs, soundness from manifold3d. trimesh has areas, volumes and Euler's number as well, the
same to the last bit and no faster; importing it takes 0.2 s, longer than all of this for a mesh of ten thousand faces.
"""

import numpy as np

from zero123pp.types import Mesh


def is_watertight(faces: np.ndarray) -> bool:
    """True when every edge of faces (F, 3) is used exactly once in each direction: closed, and wound consistently."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    if not len(edges):
        return False
    stride = edges.max() + 1
    forward = np.sort(edges[:, 0] * stride + edges[:, 1])
    backward = np.sort(edges[:, 1] * stride + edges[:, 0])
    return bool((forward[1:] != forward[:-1]).all() and np.array_equal(forward, backward))


def is_manifold(mesh: Mesh) -> bool:
    """True when manifold3d accepts the mesh as the surface of a solid."""
    return manifold_of(mesh) is not None


def is_sound(mesh: Mesh) -> bool:
    """Closed and manifold in edges and vertices, as it is and as a reader sees it that welds vertices by position."""
    return all(
        is_watertight(seen.faces) and pinched_vertices(seen.faces) == 0 for seen in (mesh, welded(mesh))
    ) and is_manifold(mesh)


def made_sound(mesh: Mesh) -> Mesh | None:
    """The mesh itself if it is closed and manifold; else a repaired one without colours; None if that fails.

    Edge collapses make sheets touch: edges with four faces, and vertices that two fans share. manifold3d splits the
    edges, and `split_fans` the vertices, into vertices of equal position, which `separated` then moves apart.
    """
    if is_sound(mesh):
        return mesh
    manifold = manifold_of(mesh)
    if manifold is None:
        return None
    split = manifold.to_mesh()
    repaired = separated(split_fans(Mesh(split.vert_properties[:, :3], split.tri_verts.astype(np.int32))))
    return repaired if is_sound(repaired) else None


def manifold_of(mesh: Mesh) -> object | None:
    """The mesh as a manifold3d.Manifold; None when it is not the surface of a solid."""
    import manifold3d

    if not len(mesh.faces):
        return None
    manifold = manifold3d.Manifold(manifold3d.Mesh(np.array(mesh.vertices), mesh.faces.astype(np.uint32)))
    return manifold if manifold.status() == manifold3d.Error.NoError and not manifold.is_empty() else None


def signed_volume(mesh: Mesh) -> float:
    """Enclosed volume; negative when the faces wind clockwise seen from outside."""
    return float(_tetrahedra(mesh).sum())


def outward(mesh: Mesh) -> Mesh:
    """The mesh with counter-clockwise faces seen from outside, judged by the enclosed volume."""
    if signed_volume(mesh) >= 0:
        return mesh
    return Mesh(mesh.vertices, mesh.faces[:, ::-1], mesh.colors)


def components(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Connected pieces of the surface.

    Returns:
        label (F,) of each face, area (C,) and signed volume (C,) of each piece.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(mesh.vertices)
    start, end = mesh.faces[:, [0, 1]].reshape(-1), mesh.faces[:, [1, 2]].reshape(-1)
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), (count, count))
    _, of_vertex = connected_components(graph, directed=False)
    _, label = np.unique(of_vertex[mesh.faces[:, 0]], return_inverse=True)
    return label, np.bincount(label, face_areas(mesh)), np.bincount(label, _tetrahedra(mesh))


def face_areas(mesh: Mesh) -> np.ndarray:
    """Areas (F,) float64."""
    a, b, c = (mesh.vertices.astype(np.float64)[mesh.faces[:, i]] for i in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=-1) / 2


def euler_characteristic(faces: np.ndarray) -> int:
    """Vertices - edges + faces; 2 for each closed piece, less 2 for each handle."""
    vertices = np.unique(faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    keys = edges.min(1) * (vertices.max(initial=0) + 1) + edges.max(1)  # one number an edge: faster than rows
    return len(vertices) - len(np.unique(keys)) + len(faces)


def keep_faces(mesh: Mesh, keep: np.ndarray) -> Mesh:
    """The mesh of the faces selected by ``keep`` (a mask or indices), without unused vertices."""
    faces = mesh.faces[keep]
    used, compact = np.unique(faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    return Mesh(mesh.vertices[used], compact.reshape(-1, 3).astype(np.int32), colors)


def without_redundant_faces(mesh: Mesh) -> Mesh:
    """The mesh without faces that use a vertex twice, repeated faces, and pairs of faces that cancel each other."""
    a, b, c = mesh.faces.T
    mesh = keep_faces(mesh, (a != b) & (b != c) & (c != a))
    if not len(mesh.faces):
        return mesh
    _, first, index = np.unique(np.sort(mesh.faces, axis=1), axis=0, return_index=True, return_inverse=True)
    if len(first) == len(mesh.faces):
        return mesh
    a, b, c = mesh.faces.T
    turn = np.where((a < b) ^ (b < c) ^ (c < a), 1, -1)  # of the two ways round a triangle
    balance = np.bincount(index.reshape(-1), turn)
    # Of each set of faces on the same corners, one that turns the way of the majority.
    leading = np.flatnonzero(turn == np.sign(balance)[index.reshape(-1)])
    _, chosen = np.unique(index.reshape(-1)[leading], return_index=True)
    return keep_faces(mesh, np.sort(leading[chosen]))


def welded(mesh: Mesh) -> Mesh:
    """The mesh with vertices of equal position made one."""
    vertices, first, index = np.unique(mesh.vertices, axis=0, return_index=True, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[first]
    return Mesh(vertices, index.reshape(-1)[mesh.faces].astype(np.int32), colors)


def _fans(faces: np.ndarray) -> np.ndarray:
    """Label (F, 3) of every corner: corners of one vertex share it when one can walk between them across edges.

    Faces of a closed surface, see `is_watertight`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    corner = np.arange(faces.size).reshape(faces.shape)
    start, end = faces.reshape(-1).astype(np.int64), faces[:, [1, 2, 0]].reshape(-1).astype(np.int64)
    here, there = corner.reshape(-1), corner[:, [1, 2, 0]].reshape(-1)  # the corners at the ends of each edge
    stride = int(faces.max()) + 1
    forward, backward = np.argsort(start * stride + end), np.argsort(end * stride + start)
    # The n-th edge one way is the n-th edge the other way: its start meets the other's end.
    pairs = np.concatenate([here[forward], there[forward]]), np.concatenate([there[backward], here[backward]])
    graph = coo_array((np.ones(len(pairs[0]), np.int8), pairs), (faces.size, faces.size))
    return connected_components(graph, directed=False)[1].reshape(faces.shape)


def pinched_vertices(faces: np.ndarray) -> int:
    """How many fans too many meet at the vertices of a closed surface (F, 3): 0 where it is manifold everywhere."""
    if not len(faces) or not is_watertight(faces):
        return 0
    return int(_fans(faces).max() + 1 - len(np.unique(faces)))


def split_fans(mesh: Mesh) -> Mesh:
    """The closed mesh with a vertex of its own, in the same place, for every fan of faces round a vertex."""
    if pinched_vertices(mesh.faces) == 0:
        return mesh
    fans = _fans(mesh.faces)
    origin = mesh.faces.reshape(-1)[np.unique(fans, return_index=True)[1]]
    colors = None if mesh.colors is None else mesh.colors[origin]
    return Mesh(mesh.vertices[origin], fans.astype(np.int32), colors)


def separated(mesh: Mesh) -> Mesh:
    """The mesh with vertices of equal position moved apart by 1e-5 of its size, each towards its own neighbours.

    Readers of mesh files weld vertices by position; two sheets that touch in a vertex would then share it, and the
    surface would not be manifold any more.
    """
    _, index, counts = np.unique(mesh.vertices, axis=0, return_inverse=True, return_counts=True)
    touching = counts[index.reshape(-1)] > 1
    if not touching.any():
        return mesh
    vertices = mesh.vertices.astype(np.float64)
    start, end = mesh.faces[:, [0, 1, 2]].reshape(-1), mesh.faces[:, [1, 2, 0]].reshape(-1)
    degree = np.maximum(np.bincount(start, minlength=len(vertices)), 1)
    neighbours = [np.bincount(start, vertices[end, axis], len(vertices)) / degree for axis in range(3)]
    towards = np.stack(neighbours, axis=1) - vertices
    length = np.linalg.norm(towards, axis=1, keepdims=True)
    step = 1e-5 * np.ptp(vertices, axis=0).max()
    moved = vertices + step * towards / np.where(length > 0, length, 1)
    return mesh.with_vertices(np.where(touching[:, None], moved, vertices))


def _tetrahedra(mesh: Mesh) -> np.ndarray:
    """Signed volumes (F,) of the tetrahedra between each face and the first vertex."""
    vertices = mesh.vertices.astype(np.float64)
    a, b, c = (vertices[mesh.faces[:, i]] - vertices[:1] for i in range(3))
    return (a * np.cross(b, c)).sum(-1) / 6
