"""Normals of faces against those that the views show, and the derivative.

With face normals, not with vertex normals that are interpolated: a mesh whose faces lean to and fro by turns has the
vertex normals of a flat one. A pixel with normal m of weight w that sees face f adds w |n_f - m|^2 = 2 w (1 - n_f . m),
so per face only the sums of w and of w m over its pixels are needed.
"""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def normal_sums(face: np.ndarray, normal: np.ndarray, weight: np.ndarray, sums: np.ndarray) -> None:
    """Add each pixel's weighted normal, and its weight, to its face.

    Args:
        face: (H, W) that each pixel sees, -1 for none.
        normal: (H, W, 3) unit normals, world frame.
        weight: (H, W).
        sums: (F, 4), changed in place.
    """
    height, width = face.shape
    for row in range(height):
        for column in range(width):
            f, w = face[row, column], weight[row, column]
            if f < 0 or w == 0:
                continue
            for axis in range(3):
                sums[f, axis] += w * normal[row, column, axis]
            sums[f, 3] += w


def normal_loss(vertices: np.ndarray, faces: np.ndarray, sums: np.ndarray) -> tuple[float, np.ndarray]:
    """Weighted sum of squared differences of normals over all pixels, and its derivative (N, 3) by the vertices.

    Args:
        vertices: (N, 3).
        faces: (F, 3).
        sums: (F, 4) from `normal_sums`.
    """
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    length = np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-20)
    normal = cross / length
    along = (normal * sums[:, :3]).sum(1)
    of_cross = -2 * (sums[:, :3] - along[:, None] * normal) / length
    of_b, of_c = np.cross(c - a, of_cross), np.cross(of_cross, b - a)
    result = np.zeros_like(vertices)
    for corner, part in enumerate((-of_b - of_c, of_b, of_c)):
        for axis in range(3):
            result[:, axis] += np.bincount(faces[:, corner], part[:, axis], len(vertices))
    return float(2 * (sums[:, 3] - along).sum()), result
