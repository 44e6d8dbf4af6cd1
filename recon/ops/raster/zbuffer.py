"""The reference rasteriser: a z-buffer over homogeneous edge functions, compiled by Numba.

A pixel p = (x, y, 1) lies in the triangle of the homogeneous screen points v0, v1, v2 (each (x w, y w, w) with w the
depth) when the edge functions e0 = p . (v1 x v2), e1 = p . (v2 x v0), e2 = p . (v0 x v1) have one sign. Then
e_i / (e0 + e1 + e2) are the perspective-correct barycentric weights and v0 . (v1 x v2) / (e0 + e1 + e2) is the depth
(Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997). Nothing is divided by the depth
of a vertex, so triangles that cross the camera plane need no clipping.
"""

import numba
import numpy as np

from zero123pp.recon.ops.kernel_input import kernel_input
from zero123pp.recon.ops.raster.fragments import Fragments
from zero123pp.types import Camera

NEAR = 1e-6
"""Surfaces nearer to the camera plane than this (world units) are not seen."""


def rasterize(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Fragments:
    """See `zero123pp.recon.ops.raster.rasterize`."""
    return draw_points(screen_points(vertices, camera), faces, camera.width, camera.height)


def screen_points(vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """Homogeneous screen points (N, 3) of world points (N, 3): (x w, y w, w) with pixels x, y and the depth w."""
    rotation, centre = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    return (vertices - centre) @ rotation @ intrinsic_matrix(camera).T


def screen_points_backward(gradient: np.ndarray, camera: Camera) -> np.ndarray:
    """Derivative (N, 3) by the world points of a loss with derivative ``gradient`` (N, 3) by the screen points."""
    return gradient @ (intrinsic_matrix(camera) @ camera.world_from_cam[:3, :3].T)


def intrinsic_matrix(camera: Camera) -> np.ndarray:
    """(3, 3) that takes camera coordinates to homogeneous screen points."""
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def draw_points(points: np.ndarray, faces: np.ndarray, width: int, height: int) -> Fragments:
    """Like `rasterize`, of homogeneous screen points (N, 3)."""
    return Fragments(*_draw(kernel_input(points, np.float64), kernel_input(faces, np.int32), width, height, NEAR))


def rasterize_uv(uvs: np.ndarray, faces: np.ndarray, width: int, height: int) -> Fragments:
    """See `zero123pp.recon.ops.raster.rasterize_uv`."""
    points = np.stack([uvs[:, 0] * width, (1 - uvs[:, 1]) * height, np.ones(len(uvs))], axis=1)
    return draw_points(points, faces, width, height)


@numba.njit(cache=True, inline="always")
def _edge(a: np.ndarray, b: np.ndarray, sign: float) -> tuple[float, float, float]:
    """Coefficients of the edge function p . (a x b); those of (b, a) are the exact negative, bit by bit."""
    return (
        sign * (a[1] * b[2] - a[2] * b[1]),
        sign * (a[2] * b[0] - a[0] * b[2]),
        sign * (a[0] * b[1] - a[1] * b[0]),
    )


@numba.njit(cache=True, inline="always")
def _inside(value: float, dx: float, dy: float) -> bool:
    """Is a pixel inside this edge? A pixel centre exactly on it belongs to the left or top side.

    The two triangles of a shared edge see opposite (dx, dy), so exactly one of them draws the pixel.
    """
    return value > 0 or (value == 0 and (dx > 0 or (dx == 0 and dy > 0)))


@numba.njit(cache=True)
def _bounds(p: float, q: float, r: float, size: int) -> tuple[int, int]:
    """First and last pixel index that a triangle can touch whose corners lie at p, q and r along an axis of pixels."""
    low, high = min(p, q, r) - 0.5, max(p, q, r) - 0.5
    # Clamp before the conversion: far outside, a float does not fit an int. One spare pixel covers the rounding.
    low, high = min(max(low, 0.0), float(size)), min(max(high, -1.0), size - 1.0)
    return max(int(np.floor(low)), 0), min(int(np.ceil(high)), size - 1)


@numba.njit(cache=True, nogil=True)
def _draw(
    points: np.ndarray, faces: np.ndarray, width: int, height: int, near: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Face (H, W), barycentric (H, W, 3) and depth (H, W) of homogeneous screen points (N, 3); the nearest wins.

    Of surfaces at the same depth the triangle with the lower index wins.
    """
    face = np.empty((height, width), np.int32)
    barycentric = np.empty((height, width, 3), np.float32)
    nearest = np.empty((height, width))
    face[:], barycentric[:], nearest[:] = -1, 0, np.inf
    for f in range(len(faces)):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        if a[2] < near and b[2] < near and c[2] < near:
            continue
        x_first, x_last, y_first, y_last = 0, width - 1, 0, height - 1  # if it crosses the plane of the camera
        if a[2] >= near and b[2] >= near and c[2] >= near:
            x_first, x_last = _bounds(a[0] / a[2], b[0] / b[2], c[0] / c[2], width)
            y_first, y_last = _bounds(a[1] / a[2], b[1] / b[2], c[1] / c[2], height)
        if x_first > x_last or y_first > y_last:
            continue
        volume = a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2])
        volume += a[2] * (b[0] * c[1] - b[1] * c[0])
        if volume == 0.0:  # seen edge-on, or without area
            continue
        sign = 1.0 if volume > 0 else -1.0
        ax, ay, a1 = _edge(b, c, sign)
        bx, by, b1 = _edge(c, a, sign)
        cx, cy, c1 = _edge(a, b, sign)
        volume *= sign
        for row in range(y_first, y_last + 1):
            y = row + 0.5
            for column in range(x_first, x_last + 1):
                x = column + 0.5
                wa, wb, wc = ax * x + ay * y + a1, bx * x + by * y + b1, cx * x + cy * y + c1
                if not (_inside(wa, ax, ay) and _inside(wb, bx, by) and _inside(wc, cx, cy)):
                    continue
                total = wa + wb + wc
                # Inside all edges, the sum is positive exactly where the plane lies in front of the camera.
                if total <= 0.0 or not near <= volume / total < nearest[row, column]:
                    continue
                nearest[row, column] = volume / total
                face[row, column] = f
                barycentric[row, column, 0] = wa / total
                barycentric[row, column, 1] = wb / total
                barycentric[row, column, 2] = wc / total
    depth = np.empty((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            depth[row, column] = nearest[row, column] if face[row, column] >= 0 else 0.0
    return face, barycentric, depth
