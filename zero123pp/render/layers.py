"""Where the rays of a picture enter and leave a mesh: all crossings, sorted, and the four layers made of them."""

from dataclasses import dataclass

import numpy as np

from zero123pp.render import layer_kernels


@dataclass(frozen=True)
class Hits:
    """Crossings of rays with faces."""

    face: np.ndarray
    """(n,) int32."""
    weights: np.ndarray
    """(n, 3) float32 of the face's corners, perspective-correct."""


@dataclass(frozen=True)
class RayLayers:
    """What the rays of an S x S picture meet."""

    depth: np.ndarray
    """(4, S, S) float32: first entry, first exit, last entry, last exit, along the camera's axis.

    NaN where a ray meets nothing; the inner two also where entries and exits do not balance.
    """
    front: Hits
    """Of the rays that meet something, in the order of the pixels."""
    back: Hits


def project(points: np.ndarray, tan_half_fov: float, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, px, and inverse depths of points (N, 3) in the frame of a camera: x right, y down, z forward."""
    inverse = 1 / points[:, 2].astype(np.float64)
    scale = side / (2 * tan_half_fov)
    return points[:, 0] * inverse * scale + side / 2, points[:, 1] * inverse * scale + side / 2, inverse


def ray_layers(points: np.ndarray, faces: np.ndarray, tan_half_fov: float, side: int) -> RayLayers:
    """The layers of a mesh with vertices (N, 3) in the camera's frame, all in front of it."""
    u, v, inverse = project(points, tan_half_fov, side)
    count = np.zeros((side, side), np.int32)
    layer_kernels.count_crossings(faces, u, v, count)
    start = np.concatenate([[0], np.cumsum(count.ravel())[:-1]]).astype(np.int64).reshape(side, side)
    total = int(count.sum())
    depth, face, facing = np.empty(total, np.float32), np.empty(total, np.int32), np.empty(total, np.bool_)
    weights = np.empty((total, 3), np.float32)
    layer_kernels.list_crossings(
        faces, u, v, inverse, start, np.zeros((side, side), np.int32), depth, face, facing, weights
    )
    layers = np.empty((4, side, side), np.float32)
    first, last = np.zeros((side, side), np.int64), np.zeros((side, side), np.int64)
    layer_kernels.first_and_last(start, count, depth, facing, layers, first, last)
    met = count > 0
    front, back = first[met], last[met]
    return RayLayers(layers, Hits(face[front], weights[front]), Hits(face[back], weights[back]))


def first_hits(
    points: np.ndarray, faces: np.ndarray, tan_half_fov: float, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth (S, S), infinite where nothing is met; face (S, S), -1 there; weights (S, S, 3) of the nearest crossing."""
    u, v, inverse = project(points, tan_half_fov, side)
    depth = np.full((side, side), np.inf, np.float32)
    face, weights = np.full((side, side), -1, np.int32), np.zeros((side, side, 3), np.float32)
    layer_kernels.nearest(faces, u, v, inverse, depth, face, weights)
    return depth, face, weights
