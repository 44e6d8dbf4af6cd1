"""Fewer triangles under the same texture, and a convex hull for collisions."""

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.meshing import is_sound, welded
from zero123pp.types import Mesh, Part, TexturedMesh

WITHIN = 0.01
"""Share of the wanted triangles by which a mesh may have fewer, where its surface would else not stay closed."""
HULL_CORNERS = 250
"""Of a hull at most; physics engines take 255."""


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


def hull(asset: Part) -> Mesh:
    """A convex mesh around the asset with at most `HULL_CORNERS` corners, for collisions.

    Raises BadInput when the asset is flat.
    """
    from scipy.spatial import ConvexHull, QhullError

    points = geometry_of(asset).vertices.astype(float)
    try:
        points = points[ConvexHull(points).vertices]
        corners = points if len(points) <= HULL_CORNERS else _fewer_corners(points)
        solid = ConvexHull(corners)
    except QhullError as error:
        raise BadInput("the object is flat: there is no hull around it") from error
    triangles = corners[solid.simplices]
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    inward = (normal * solid.equations[:, :3]).sum(1) < 0
    faces = np.where(inward[:, None], solid.simplices[:, ::-1], solid.simplices)
    used, faces = np.unique(faces, return_inverse=True)
    return Mesh(corners[used], faces.reshape(-1, 3).astype(np.int32))


def geometry_of(asset: Part) -> Mesh:
    """The mesh of an asset, with its UV seams."""
    return asset.mesh if isinstance(asset, TexturedMesh) else asset


def _collapsed(mesh: Mesh, target: int) -> np.ndarray:
    """Faces (F, 3) over the same vertices, at most ``target``."""
    try:
        import meshoptimizer
    except ImportError as error:
        raise MissingBackend(
            "fewer triangles under the same texture need meshoptimizer: pip install 'zero123pp[lods]'"
        ) from error
    indices = np.array(mesh.faces.reshape(-1), np.uint32)
    kept = np.zeros_like(indices)
    count = meshoptimizer.simplify(
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


def _fewer_corners(points: np.ndarray) -> np.ndarray:
    """At most `HULL_CORNERS` corners (C, 3) of a convex body around all points (N, 3), little larger than their hull.

    Starts from the points farthest along the axes and diagonals, adds those that are farthest outside, and grows the
    body until it holds what is left.
    """
    from scipy.spatial import ConvexHull

    ways = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    scaled = points / np.ptp(points, axis=0)  # convex stays convex, and thin bodies are as round as others
    chosen = np.unique((scaled @ ways.T).argmax(0))
    while True:
        planes = ConvexHull(scaled[chosen]).equations
        outside = scaled @ planes[:, :3].T + planes[:, 3]  # (N, planes)
        farthest = outside.max(1)
        if len(chosen) == HULL_CORNERS or farthest.max() < 1e-9:
            break
        peaks = np.unique(outside.argmax(0))
        peaks = peaks[np.argsort(-farthest[peaks])][: min(_AT_ONCE, HULL_CORNERS - len(chosen))]
        chosen = np.union1d(chosen, peaks[farthest[peaks] > 1e-9])
    middle = points[chosen].mean(0)
    room = -(planes[:, 3] + planes[:, :3] @ scaled[chosen].mean(0))  # from the middle to each plane
    growth = 1 + max((outside / room).max(), 0)
    return middle + (points[chosen] - middle) * growth


_AT_ONCE = 8
"""Corners that are added before the distances are measured again."""
