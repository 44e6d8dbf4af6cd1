"""A known object in several parts, each with its own texture: as one surface, in the object's sphere."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.errors import BadInput
from zero123pp.recon.load import load_parts
from zero123pp.types import Mesh, Part, TexturedMesh

FILL = 0.97
"""Distance of the farthest vertex from the origin over the radius of the object's sphere."""


def join(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one, without colours and without merging any vertex."""
    if not meshes:
        raise BadInput("no meshes to join; give at least one")
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    faces = np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets)])
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), faces)


def geometry(parts: Sequence[Part]) -> Mesh:
    """The surface of all parts as one mesh, without colours."""
    return join([part.mesh if isinstance(part, TexturedMesh) else part for part in parts])


def normalise(parts: Sequence[Part], radius: float = FILL * OBJECT_RADIUS) -> list[Part]:
    """All parts moved and scaled together, so that the box round them is centred and the farthest vertex at ``radius``.

    Vertices that no face uses are not part of the surface and do not count. Directions are kept.

    Raises:
        BadInput: No faces, vertices that are not finite, or a single point.
    """
    whole = geometry(parts)
    used = whole.vertices[np.unique(whole.faces)].astype(np.float64)
    if not len(used) or not np.isfinite(used).all():
        raise BadInput(
            f"the mesh has {len(whole.faces)} faces and its vertices must be finite; it has no usable surface"
        )
    centre = (used.min(axis=0) + used.max(axis=0)) / 2
    farthest = np.linalg.norm(used - centre, axis=1).max()
    if farthest == 0:
        raise BadInput("all vertices of the mesh lie in one point; there is nothing to render")

    def moved(mesh: Mesh) -> Mesh:
        return mesh.with_vertices((mesh.vertices.astype(np.float64) - centre) * (radius / farthest))

    return [replace(part, mesh=moved(part.mesh)) if isinstance(part, TexturedMesh) else moved(part) for part in parts]


def load_normalised(path: str | Path, radius: float = FILL * OBJECT_RADIUS) -> list[Part]:
    """The parts of a mesh file in the object's sphere, see `normalise`; BadInput names the file."""
    parts = load_parts(path)
    try:
        return normalise(parts, radius)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
