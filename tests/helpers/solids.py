"""Boxes and spheres with exact areas and volumes."""

import numpy as np

from zero123pp.types import Mesh

QUADS = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]


BOX_FACES = np.array([[q[0], q[i], q[i + 1]] for q in QUADS for i in (1, 2)])


def box(half=(0.5, 0.5, 0.5), centre=(0.0, 0.0, 0.0)) -> Mesh:
    """Twelve triangles; the last two are the side at +x."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    return Mesh(corners * half + centre, BOX_FACES)


def sphere(radius: float = 1.0, subdivisions: int = 5) -> Mesh:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(ball.vertices, ball.faces)
