"""Solids of known thickness, standing on the ground plane (+Y up), of trimesh's making."""

import numpy as np
import trimesh

from zero123pp.types import Mesh


def box(*extents: float) -> Mesh:
    return _standing(trimesh.creation.box(extents))


def tube(outer: float, wall: float, height: float) -> Mesh:
    return _standing(trimesh.creation.annulus(outer - wall, outer, height, sections=64), turned=True)


def rod(radius: float, height: float, *, lies: bool = False) -> Mesh:
    return _standing(trimesh.creation.cylinder(radius, height, sections=32), turned=not lies)


def ball(radius: float) -> Mesh:
    return _standing(trimesh.creation.icosphere(3, radius))


def _standing(solid: trimesh.Trimesh, *, turned: bool = False) -> Mesh:
    if turned:
        solid.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    vertices = solid.vertices - [0, solid.vertices[:, 1].min(), 0]
    return Mesh(vertices, solid.faces.astype(np.int32))
