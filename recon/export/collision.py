"""Convex shapes for physics engines: one hull around the object, or several that follow its form."""

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.export.fewer_faces import geometry_of, with_faces
from zero123pp.recon.meshing import is_sound, welded
from zero123pp.types import Mesh, Part

HULL_CORNERS = 250
"""Of a hull at most; physics engines take 255."""
MOST_PARTS = 16
CONCAVITY = 0.08
"""How far a part's hull may stand out from the object, in CoACD's units (its threshold)."""
_FACES = 1500
"""What CoACD is given at most: a collision shape needs no more, and its time grows with them."""
_SEARCH = {"mcts_iterations": 60, "mcts_nodes": 10, "resolution": 1000}
"""A third of CoACD's usual effort, for as many parts."""


def collision_shapes(asset: Part, kind: str) -> list[Mesh]:
    """Convex, closed meshes (one of `zero123pp.recon.export.COLLISIONS`) that stand for the asset in a physics engine.

    Raises BadInput when the asset is flat, and MissingBackend where a library is missing.
    """
    return [hull(asset)] if kind == "hull" else convex_parts(asset)


def convex_parts(asset: Part) -> list[Mesh]:
    """At most `MOST_PARTS` hulls that together follow the object, by CoACD.

    Wei et al., "Approximate convex decomposition for 3D meshes with collision-aware concavity and tree search", 2022.

    Raises MissingBackend where CoACD is not installed, or the mesh has more than a few triangles and meshoptimizer is
    not.
    """
    coacd = check_convex_parts()
    fewer = welded(_bare(geometry_of(with_faces(welded(_bare(geometry_of(asset))), _FACES))))
    coacd.set_log_level("off")
    parts = coacd.run_coacd(
        coacd.Mesh(fewer.vertices.astype(np.float64), fewer.faces), threshold=CONCAVITY, max_convex_hull=MOST_PARTS,
        preprocess_mode="off" if is_sound(fewer) else "on", seed=0, **_SEARCH,
    )  # fmt: skip
    return [hull(Mesh(vertices, np.asarray(faces, np.int32))) for vertices, faces in parts]


def check_convex_parts() -> object:
    """CoACD; MissingBackend where it is not installed."""
    try:
        import coacd
    except ImportError as error:
        raise MissingBackend("convex parts need CoACD: pip install 'zero123pp[convex]'") from error
    return coacd


def _bare(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces)


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
