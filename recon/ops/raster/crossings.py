"""Where silhouette edges pass between neighbouring pixels: the discrete half of anti-aliasing.

Two neighbouring pixels see different triangles. The nearer one owns the pair. From its triangle the segment to the
other pixel's centre is followed through the mesh, triangle by triangle, up to the first silhouette edge: an edge with
no triangle behind it, or one where the mesh folds back. If that edge is met before the other centre, it crosses the
pair. Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", section 3.5, look at the
owner's own triangle only (``reach`` 0 here); in a mesh with triangles of few pixels the triangle at the rim is seen so
much from the side that it covers no pixel centre, and most of the silhouette would be missed.

Only edges nearer to the vertical count for pairs in a row, and nearer to the horizontal for pairs in a column: each
piece of a silhouette is then counted once, and the derivative of the covered area is that of the true area.
"""

from dataclasses import dataclass

import numba
import numpy as np

REACH = 32
"""Triangles that are followed from the owner's before a pair is given up."""


@dataclass(frozen=True)
class Crossings:
    """K pairs of neighbouring pixels with a silhouette edge between their centres."""

    owner: np.ndarray
    """(K,) int32 flat index (row * width + column) of the pixel that sees the surface that ends in between."""
    other: np.ndarray
    """(K,) int32 flat index of the pixel beyond the edge."""
    edge: np.ndarray
    """(K, 2) int32 vertices of the edge."""


def edge_neighbours(faces: np.ndarray) -> np.ndarray:
    """The face (F, 3) int32 across the edge opposite to each corner; -1 where the edge has not exactly two faces."""
    faces = np.asarray(faces, np.int64)
    edges = np.sort(np.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], axis=1).reshape(-1, 2), axis=1)
    result = np.full(len(edges), -1, np.int32)
    if len(edges):
        key = edges[:, 0] * (edges.max() + 1) + edges[:, 1]
        order = np.argsort(key, kind="stable")
        new = np.concatenate([[True], np.diff(key[order]) != 0])
        first = np.flatnonzero(new)
        pairs = first[np.diff(np.append(first, len(key))) == 2]
        result[order[pairs]] = order[pairs + 1] // 3
        result[order[pairs + 1]] = order[pairs] // 3
    return result.reshape(-1, 3)


def find_crossings(
    points: np.ndarray,
    faces: np.ndarray,
    neighbours: np.ndarray,
    face: np.ndarray,
    depth: np.ndarray,
    reach: int = REACH,
) -> Crossings:
    """All crossings of one picture, row by row.

    Args:
        points: (N, 3) homogeneous screen points, see `zero123pp.recon.ops.raster.zbuffer.screen_points`.
        faces: (F, 3).
        neighbours: (F, 3) from `edge_neighbours`.
        face: (H, W) triangle that each pixel sees, -1 for none.
        depth: (H, W).
        reach: triangles that are followed beyond the owner's own.
    """
    points = np.asarray(points, np.float64)
    in_front = points[:, 2:] > 0
    screen = np.where(in_front, points[:, :2], np.nan) / np.where(in_front, points[:, 2:], 1)
    owner, other, edge = _find(screen, np.ascontiguousarray(faces, np.int32), neighbours, face, depth, reach)
    return Crossings(owner, other, edge)


@numba.njit(cache=True, inline="always")
def _third(faces: np.ndarray, f: int, p: int, q: int) -> int:
    """The corner of face f that is neither p nor q."""
    for k in range(3):
        if faces[f, k] != p and faces[f, k] != q:
            return faces[f, k]
    return p  # a triangle without area


@numba.njit(cache=True, inline="always")
def _side(screen: np.ndarray, p: int, q: int, r: int) -> float:
    """On which side of the line p q the point r lies, on the screen."""
    return (screen[q, 0] - screen[p, 0]) * (screen[r, 1] - screen[p, 1]) - (screen[q, 1] - screen[p, 1]) * (
        screen[r, 0] - screen[p, 0]
    )


@numba.njit(cache=True, inline="always")
def _exit(screen: np.ndarray, faces: np.ndarray, f: int, start: float, level: float, sign: float, axis: int) -> tuple:
    """Where the ray from ``start`` along ``axis`` leaves triangle f: its length, and the corner opposite that edge."""
    best, corner = -np.inf, -1
    for k in range(3):
        p, q = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        across, to_q = screen[p, 1 - axis], screen[q, 1 - axis]
        if (across <= level) == (to_q <= level):
            continue
        share = (level - across) / (to_q - across)
        length = (screen[p, axis] + share * (screen[q, axis] - screen[p, axis]) - start) * sign
        if length > best:
            best, corner = length, k
    return best, corner


@numba.njit(cache=True)
def _walk(
    screen: np.ndarray, faces: np.ndarray, neighbours: np.ndarray, f: int, start: float, level: float, sign: float,
    axis: int, reach: int,
) -> tuple:  # fmt: skip
    """The silhouette edge (p, q) that is met within one pixel; (-1, -1) if none is, or it runs along the pair."""
    for _ in range(reach + 1):
        length, corner = _exit(screen, faces, f, start, level, sign, axis)
        if corner < 0 or length > 1:
            return -1, -1
        p, q = faces[f, (corner + 1) % 3], faces[f, (corner + 2) % 3]
        beyond = neighbours[f, corner]
        if beyond >= 0:
            side = _side(screen, p, q, _third(faces, beyond, p, q)) * _side(screen, p, q, faces[f, corner])
            if side < 0:
                f = beyond  # the mesh goes on behind this edge
                continue
            if np.isnan(side):  # it goes on behind the camera
                return -1, -1
        along, across = abs(screen[q, axis] - screen[p, axis]), abs(screen[q, 1 - axis] - screen[p, 1 - axis])
        crosses = across > along or (across == along and axis == 0)
        return (p, q) if crosses and length > -1e-3 else (-1, -1)
    return -1, -1


@numba.njit(cache=True, nogil=True)
def _find(
    screen: np.ndarray, faces: np.ndarray, neighbours: np.ndarray, face: np.ndarray, depth: np.ndarray, reach: int
) -> tuple:
    height, width = face.shape
    capacity = 0
    for row in range(height):
        for column in range(width):
            capacity += column + 1 < width and face[row, column] != face[row, column + 1]
            capacity += row + 1 < height and face[row, column] != face[row + 1, column]
    owner, other = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    edge = np.empty((capacity, 2), np.int32)
    count = 0
    for row in range(height):
        for column in range(width):
            here = face[row, column]
            for axis in range(2):
                down, right = row + axis, column + 1 - axis
                if down == height or right == width or face[down, right] == here:
                    continue
                there = face[down, right]
                forward = there < 0 or (here >= 0 and depth[row, column] <= depth[down, right])
                owning, sign = (here, 1.0) if forward else (there, -1.0)
                start = (right if axis == 0 else down) + 0.5 - (1.0 if forward else 0.0)
                level = (row if axis == 0 else column) + 0.5
                p, q = _walk(screen, faces, neighbours, owning, start, level, sign, axis, reach)
                if p < 0:
                    continue
                first, second = row * width + column, down * width + right
                owner[count], other[count] = (first, second) if forward else (second, first)
                edge[count, 0], edge[count, 1] = p, q
                count += 1
    return owner[:count].copy(), other[:count].copy(), edge[:count].copy()
