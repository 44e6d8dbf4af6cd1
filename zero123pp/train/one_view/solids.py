"""The objects that are learned from: a mesh in a unit sphere whose faces can be painted."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from zero123pp.render.procedural import random_object

_CREASE_DEG = 40.0
"""Faces that meet at a larger angle keep their edge; smoother ones are shaded as one surface."""
_MOST_AROUND = 128
"""Faces at a vertex; more than that are the middle of a cap, which is flat."""


class Paint(Protocol):
    """Colours of places on faces."""

    def __call__(self, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Colours sRGB (n, 3) 0..255 float32 at weights (n, 3) of the corners of faces (n,)."""


@dataclass(frozen=True)
class Solid:
    """An object, y up, its farthest vertex at distance 1 of the centre of its box."""

    vertices: np.ndarray
    """(N, 3) float32."""
    faces: np.ndarray
    """(F, 3) int32."""
    normals: np.ndarray
    """(F, 3, 3) float32, of the corners."""
    paint: Paint
    kind: str

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, paint: Paint, kind: str) -> "Solid":
        """From a mesh anywhere, of any size."""
        used = vertices[np.unique(faces)]
        centre = (used.min(0) + used.max(0)) / 2
        unit = ((vertices - centre) / np.linalg.norm(used - centre, axis=1).max()).astype(np.float32)
        return cls(unit, np.ascontiguousarray(faces, np.int32), corner_normals(unit, faces), paint, kind)


def corner_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3, 3) of the corners: each the mean of the faces round it that go on smoothly from its own."""
    # Vertices are joined by place, since files split them at seams of the texture.
    _, owner = np.unique(np.round(vertices * 65536).astype(np.int32), axis=0, return_inverse=True)
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    area = np.cross(b - a, c - a)
    flat = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-20)
    corner = owner.reshape(-1)[faces].ravel()
    order = np.argsort(corner, kind="stable")
    count = np.bincount(corner)
    start = np.cumsum(count) - count
    around = np.where(count[corner] > _MOST_AROUND, 0, count[corner])  # such fans stay flat
    mine = np.repeat(np.arange(len(corner)), around)
    nth = np.arange(len(mine)) - np.repeat(np.cumsum(around) - around, around)
    other = order[start[corner[mine]] + nth]
    smooth = (flat[mine // 3] * flat[other // 3]).sum(1) > np.cos(np.deg2rad(_CREASE_DEG))
    total = np.stack([np.bincount(mine[smooth], area[other[smooth] // 3, k], len(corner)) for k in range(3)], -1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (
        np.where(length > 1e-20, total / np.maximum(length, 1e-20), np.repeat(flat, 3, 0))
        .reshape(-1, 3, 3)
        .astype(np.float32)
    )


def generated(rng: np.random.Generator) -> Solid:
    """An object of the generator."""
    made = random_object(rng)

    def paint(face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        points = np.einsum("nk,nkc->nc", weights, made.vertices[made.faces[face]])
        return made.paint(face, weights, points)

    return Solid.of(made.vertices, made.faces, paint, made.kind)


@dataclass(frozen=True)
class StoredPaint:
    """Textures and corner colours of a stored object."""

    uv: np.ndarray
    """(F, 3, 2) float32."""
    rgb: np.ndarray
    """(F, 3, 3) uint8, where there is no texture."""
    texture_of_face: np.ndarray
    """(F,) int16, -1 for none."""
    textures: tuple[np.ndarray, ...]
    """(H, W, 3) uint8 each."""

    def __call__(self, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """See `Paint`."""
        out = np.einsum("nk,nkc->nc", weights, self.rgb[face].astype(np.float32))
        uv = np.einsum("nk,nkc->nc", weights, self.uv[face])
        owner = self.texture_of_face[face]
        for number, texture in enumerate(self.textures):
            mine = owner == number
            if mine.any():
                out[mine] = _bilinear(texture, uv[mine])
        return out


def _bilinear(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    x = (uv[:, 0] - np.floor(uv[:, 0])) * width - 0.5
    y = (1 - (uv[:, 1] - np.floor(uv[:, 1]))) * height - 0.5
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - x0)[:, None].astype(np.float32), (y - y0)[:, None].astype(np.float32)
    x0, x1, y0, y1 = x0 % width, (x0 + 1) % width, y0 % height, (y0 + 1) % height
    above = texture[y0, x0] * (1 - fx) + texture[y0, x1] * fx
    below = texture[y1, x0] * (1 - fx) + texture[y1, x1] * fx
    return above * (1 - fy) + below * fy
