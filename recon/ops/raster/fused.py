"""The differentiable rasteriser on the CPU without torch: forward and backward pass compiled by Numba.

The same maths as `zero123pp.recon.ops.raster.antialias`, which is its oracle, with the derivatives written out.
"""

from dataclasses import dataclass

import numba
import numpy as np

from zero123pp.recon.ops.raster.crossings import REACH, Crossings, edge_neighbours, find_crossings
from zero123pp.recon.ops.raster.fragments import Fragments
from zero123pp.recon.ops.raster.zbuffer import draw_points, screen_points, screen_points_backward
from zero123pp.types import Camera


def cause() -> None:
    """It works wherever Numba does."""


@dataclass(frozen=True)
class Drawn:
    """A picture, and what its derivatives need."""

    picture: np.ndarray
    """(H, W, C + 1) float32: values premultiplied by coverage, and coverage."""
    points: np.ndarray
    """(N, 3) homogeneous screen points."""
    faces: np.ndarray
    values: np.ndarray
    """(N, C) float32."""
    fragments: Fragments
    crossings: Crossings
    raw: np.ndarray
    """(H W, C + 1) float32, the picture before silhouettes are blended."""

    def backward(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives with respect to the screen points (N, 3) and the values (N, C), float64.

        Args:
            gradient: (H, W, C + 1) float32 derivative of some loss with respect to the picture.
        """
        width, channels = self.picture.shape[1:]
        flat = np.array(gradient, np.float32).reshape(-1, channels)  # a copy: the kernel spreads it over the blends
        of_points, of_values = np.zeros(self.points.shape), np.zeros(self.values.shape)
        found, fragments = self.crossings, self.fragments
        _backward_blends(self.raw, self.points, found.owner, found.other, found.edge, width, flat, of_points)
        _backward_interpolation(
            self.points, self.faces, self.values, fragments.face, fragments.barycentric, flat, of_points, of_values
        )
        return of_points, of_values


def draw(
    points: np.ndarray, faces: np.ndarray, values: np.ndarray, width: int, height: int, neighbours: np.ndarray,
    reach: int = REACH,
) -> Drawn:  # fmt: skip
    """Anti-aliased picture of vertex values.

    Args:
        points: (N, 3) from `zero123pp.recon.ops.raster.zbuffer.screen_points`.
        faces: (F, 3) int32.
        values: (N, C) float32.
        width: of the picture, px.
        height: of the picture, px.
        neighbours: (F, 3) from `zero123pp.recon.ops.raster.crossings.edge_neighbours`.
        reach: see `zero123pp.recon.ops.raster.crossings.find_crossings`.
    """
    fragments = draw_points(points, faces, width, height)
    found = find_crossings(points, faces, neighbours, fragments.face, fragments.depth, reach)
    raw = _interpolated(faces, values, fragments.face, fragments.barycentric)
    picture = raw.copy()
    _blend(raw, points, found.owner, found.other, found.edge, width, picture)
    return Drawn(picture.reshape(height, width, -1), points, faces, values, fragments, found, raw)


def draw_with_gradient(
    vertices: np.ndarray, faces: np.ndarray, values: np.ndarray, camera: Camera, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `zero123pp.recon.ops.raster.draw_with_gradient`."""
    values = np.ascontiguousarray(values, np.float32)
    points = screen_points(vertices, camera)
    drawn = draw(points, faces, values, camera.width, camera.height, edge_neighbours(faces))
    of_points, of_values = drawn.backward(gradient)
    return drawn.picture, screen_points_backward(of_points, camera), of_values


@numba.njit(cache=True, nogil=True)
def _interpolated(faces: np.ndarray, values: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(H W, C + 1) values and coverage at the pixel centres."""
    height, width = face.shape
    channels = values.shape[1]
    result = np.zeros((height * width, channels + 1), np.float32)
    for row in range(height):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            pixel = result[row * width + column]
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            wa, wb, wc = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
            for k in range(channels):
                pixel[k] = wa * values[a, k] + wb * values[b, k] + wc * values[c, k]
            pixel[channels] = 1.0
    return result


@numba.njit(cache=True, inline="always")
def _crossing(points: np.ndarray, p: int, q: int, owner: int, other: int, width: int) -> tuple:
    """Distance t of the edge p q from the owner's centre, its share s along the edge, slope, direction and axis."""
    step = other - owner
    axis = 0 if abs(step) == 1 else 1
    sign = 1.0 if step > 0 else -1.0
    centre = (owner % width + 0.5, owner // width + 0.5)
    along, across = centre[axis], centre[1 - axis]
    p_along, p_across = points[p, axis] / points[p, 2], points[p, 1 - axis] / points[p, 2]
    q_along, q_across = points[q, axis] / points[q, 2], points[q, 1 - axis] / points[q, 2]
    share = (across - p_across) / (q_across - p_across)
    slope = (q_along - p_along) / (q_across - p_across)
    return (p_along + share * (q_along - p_along) - along) * sign, share, slope, sign, axis


@numba.njit(cache=True, nogil=True)
def _blend(
    raw: np.ndarray, points: np.ndarray, owner: np.ndarray, other: np.ndarray, edge: np.ndarray, width: int,
    picture: np.ndarray,
) -> None:  # fmt: skip
    for k in range(len(owner)):
        t = _crossing(points, edge[k, 0], edge[k, 1], owner[k], other[k], width)[0]
        changed = other[k] if t > 0.5 else owner[k]
        for c in range(raw.shape[1]):
            picture[changed, c] += np.float32(t - 0.5) * (raw[owner[k], c] - raw[other[k], c])


@numba.njit(cache=True, nogil=True)
def _backward_blends(
    raw: np.ndarray, points: np.ndarray, owner: np.ndarray, other: np.ndarray, edge: np.ndarray, width: int,
    gradient: np.ndarray, of_points: np.ndarray,
) -> None:  # fmt: skip
    """Turn the picture's gradient (H W, C + 1) into that of ``raw``, in place, and add that of the edges' ends."""
    count, channels = len(owner), raw.shape[1]
    taken = np.empty((count, channels), np.float32)
    beyond = np.empty(count, np.float32)
    for k in range(count):
        p, q = edge[k, 0], edge[k, 1]
        t, share, slope, sign, axis = _crossing(points, p, q, owner[k], other[k], width)
        beyond[k] = t - 0.5
        changed = other[k] if t > 0.5 else owner[k]
        of_t = 0.0
        for c in range(channels):
            taken[k, c] = gradient[changed, c]
            of_t += gradient[changed, c] * (raw[owner[k], c] - raw[other[k], c])
        for vertex, part in ((p, 1 - share), (q, share)):
            w = points[vertex, 2]
            of_along = of_t * sign * part / w
            of_across = -slope * of_along
            of_points[vertex, axis] += of_along
            of_points[vertex, 1 - axis] += of_across
            of_points[vertex, 2] -= (of_along * points[vertex, axis] + of_across * points[vertex, 1 - axis]) / w
    for k in range(count):  # only now: above, a pixel of two crossings must still have its own gradient
        for c in range(channels):
            gradient[owner[k], c] += beyond[k] * taken[k, c]
            gradient[other[k], c] -= beyond[k] * taken[k, c]


@numba.njit(cache=True, nogil=True)
def _backward_interpolation(
    points: np.ndarray, faces: np.ndarray, values: np.ndarray, face: np.ndarray, weights: np.ndarray,
    gradient: np.ndarray, of_points: np.ndarray, of_values: np.ndarray,
) -> None:  # fmt: skip
    """Add the derivatives of the values at the pixel centres; coverage there does not change."""
    height, width = face.shape
    channels = values.shape[1]
    of_weights, corners, edges = np.empty(3), np.empty(3, np.int64), np.empty((3, 3))
    for row in range(height):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            pixel = row * width + column
            mean = 0.0
            for i in range(3):
                corners[i] = faces[f, i]
                of_weights[i] = 0.0
                for k in range(channels):
                    of_values[corners[i], k] += weights[row, column, i] * gradient[pixel, k]
                    of_weights[i] += values[corners[i], k] * gradient[pixel, k]
                mean += weights[row, column, i] * of_weights[i]
            x, y, total = column + 0.5, row + 0.5, 0.0
            for i in range(3):  # edge functions; see `zbuffer`
                _cross(points[corners[(i + 1) % 3]], points[corners[(i + 2) % 3]], edges[i])
                total += edges[i, 0] * x + edges[i, 1] * y + edges[i, 2]
            for i in range(3):
                of_edge = (of_weights[i] - mean) / total
                b, c = corners[(i + 1) % 3], corners[(i + 2) % 3]
                # The derivative of p . (b x c) is c x p for b, and p x b for c; p = (x, y, 1).
                of_points[b, 0] += of_edge * (points[c, 1] - points[c, 2] * y)
                of_points[b, 1] += of_edge * (points[c, 2] * x - points[c, 0])
                of_points[b, 2] += of_edge * (points[c, 0] * y - points[c, 1] * x)
                of_points[c, 0] += of_edge * (y * points[b, 2] - points[b, 1])
                of_points[c, 1] += of_edge * (points[b, 0] - x * points[b, 2])
                of_points[c, 2] += of_edge * (x * points[b, 1] - y * points[b, 0])


@numba.njit(cache=True, inline="always")
def _cross(a: np.ndarray, b: np.ndarray, result: np.ndarray) -> None:
    result[0] = a[1] * b[2] - a[2] * b[1]
    result[1] = a[2] * b[0] - a[0] * b[2]
    result[2] = a[0] * b[1] - a[1] * b[0]
