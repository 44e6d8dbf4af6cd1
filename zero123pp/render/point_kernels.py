"""Points of a surface that a viewer sees, with the normals that shade them: compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def seen_points(
    face: np.ndarray, barycentric: np.ndarray, vertices: np.ndarray, faces: np.ndarray, smooth: np.ndarray,
    flat: np.ndarray, eye: np.ndarray,
) -> tuple:  # fmt: skip
    """Position, shading normal, face normal and direction to the viewer, each (N, 3) float32.

    Normals are turned to the viewer's side. The shading normal is interpolated from the corners' where they have some
    on that side of the face. Positions are moved from flat triangles to the curved surface that their corner normals
    mean: without that the facets of a smooth, coarse mesh cast jagged shadows on themselves near the terminator
    (Hanika, "Hacking the shadow terminator", Ray Tracing Gems II, chapter 4).

    Args:
        face: (N,) int32.
        barycentric: (N, 3) float32 weights of the corners.
        vertices: (V, 3) float32.
        faces: (F, 3) int32.
        smooth: (V, 3) float32 unit vertex normals, 0 where there is none.
        flat: (F, 3) float32 unit normals of the faces.
        eye: (3,) float32.
    """
    count = len(face)
    position, normal = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    geometric, view = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    corner = np.empty((3, 3), np.float32)
    for i in range(count):
        f, b = face[i], barycentric[i]
        length, side = np.float32(0.0), np.float32(0.0)
        for c in range(3):
            position[i, c] = 0
            for k in range(3):
                position[i, c] += b[k] * vertices[faces[f, k], c]
            view[i, c] = eye[c] - position[i, c]
            length += view[i, c] * view[i, c]
            side += view[i, c] * flat[f, c]
        length = np.sqrt(length)
        sign = np.float32(-1.0) if side < 0 else np.float32(1.0)
        for c in range(3):
            view[i, c] /= length
            geometric[i, c] = sign * flat[f, c]
            normal[i, c] = 0
        for k in range(3):
            v, along = faces[f, k], np.float32(0.0)
            for c in range(3):
                corner[k, c] = sign * smooth[v, c]
                along += corner[k, c] * geometric[i, c]
            for c in range(3):
                if along <= 0:
                    corner[k, c] = 0  # a file's normal that points away from its face means nothing for this side
                normal[i, c] += b[k] * corner[k, c]
        length = np.sqrt(normal[i, 0] ** 2 + normal[i, 1] ** 2 + normal[i, 2] ** 2)
        for c in range(3):
            normal[i, c] = normal[i, c] / length if length > 1e-6 else geometric[i, c]
        _lift(position[i], b, vertices, faces[f], corner)
    return position, normal, geometric, view


@numba.njit(cache=True, nogil=True)
def _lift(
    position: np.ndarray, weights: np.ndarray, vertices: np.ndarray, corners: np.ndarray, normals: np.ndarray
) -> None:
    """Moves a point by the mean of its distances below the tangent planes at the corners."""
    moved = np.zeros(3, np.float32)
    for k in range(3):
        below = np.float32(0.0)
        for c in range(3):
            below += (position[c] - vertices[corners[k], c]) * normals[k, c]
        if below < 0:
            for c in range(3):
                moved[c] -= weights[k] * below * normals[k, c]
    for c in range(3):
        position[c] += moved[c]
