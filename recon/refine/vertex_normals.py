"""Smooth vertex normals and their derivative."""

import numpy as np


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (N, 3), each the mean of its faces' normals weighted by their areas, and the lengths (N, 1) before.

    Weights by area instead of by angle: the sum of cross products has a short derivative.
    """
    sums = _to_vertices(_crosses(vertices, faces), faces, len(vertices))
    length = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-20)
    return sums / length, length


def pull_vertex_normals(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, length: np.ndarray, gradient: np.ndarray
) -> np.ndarray:
    """Derivative (N, 3) with respect to the vertices of a loss with derivative ``gradient`` (N, 3) by the normals.

    Args:
        vertices: (N, 3).
        faces: (F, 3).
        normals: (N, 3) and ``length`` (N, 1), from `vertex_normals`.
        length: see there.
        gradient: (N, 3).
    """
    of_sums = (gradient - normals * (gradient * normals).sum(1, keepdims=True)) / length
    of_cross = of_sums[faces].sum(1)  # (F, 3)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    of_b, of_c = np.cross(c - a, of_cross), np.cross(of_cross, b - a)
    result = np.zeros_like(vertices)
    for corner, part in enumerate((-of_b - of_c, of_b, of_c)):
        for axis in range(3):
            result[:, axis] += np.bincount(faces[:, corner], part[:, axis], len(vertices))
    return result


def _crosses(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def _to_vertices(of_faces: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    corners, repeated = faces.reshape(-1), np.repeat(of_faces, 3, axis=0)
    return np.stack([np.bincount(corners, repeated[:, axis], count) for axis in range(3)], axis=1)
