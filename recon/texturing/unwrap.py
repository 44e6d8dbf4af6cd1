"""UV atlases: cut a mesh into charts, flatten them by projection, and pack them into a square.

Written for speed: xatlas flattens more evenly (stretch 1.004 against 1.016 on ten thousand faces, medians), but takes
ten times as long there and twenty on forty thousand, cuts twice as many charts and fills less of the texture; at times
it shatters a smooth surface into hundreds (benchmarks/results/unwrap.md).
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.meshing import face_areas, face_normals
from zero123pp.recon.texturing.charts import Charts, dissolve, face_neighbours, partition, split
from zero123pp.types import Mesh

ATTEMPTS = 8
"""Rounds of splitting: half of them for charts that leave their bounding box empty, all for those that fold over. What
folds over even then is taken apart into single faces."""

HOLLOW, LARGE = 0.4, 0.02
"""Charts that fill less than this share of a bounding box of more than this share of the surface are halved: rings."""

TURNS_DEG = np.arange(0, 90, 7.5)
"""Rotations that are tried to fit a chart into a small upright box."""


@dataclass(frozen=True)
class Atlas:
    """A mesh cut along its UV seams."""

    vertex: np.ndarray
    """(Nv,) int64, the vertex of the mesh before unwrapping that each vertex is a copy of."""
    faces: np.ndarray
    """(F, 3) int32 indices of the new vertices, in the order of the faces before unwrapping."""
    uvs: np.ndarray
    """(Nv, 2) float32 in [0, 1], u right, v up."""
    charts: int
    """How many."""


def unwrap(mesh: Mesh, size: int, padding: int) -> Atlas:
    """Texture coordinates for every triangle, without overlaps.

    Args:
        mesh: any triangle mesh.
        size: side of the square texture, texels.
        padding: least distance between charts, texels.

    Raises:
        StageFailed: the mesh has no area, or its charts do not fit into the texture without overlaps.
    """
    from zero123pp.recon.texturing.atlas_kernels import folded

    normals, areas = face_normals(mesh.vertices, mesh.faces), face_areas(mesh)
    if not areas.sum() > 0:
        raise StageFailed(f"cannot unwrap the mesh: its {len(mesh.faces)} faces have no area")
    neighbours = face_neighbours(mesh.faces)
    charts = partition(normals, areas, neighbours)
    for attempt in count():
        vertex, faces = _cut(mesh, charts)
        flat = _flattened(mesh, charts, vertex, faces)
        marked = _far_halves(flat, charts.label, faces)
        if attempt >= ATTEMPTS // 2 or not marked.any():
            texels = _packed(flat, charts.label, faces, size, padding)
            marked = folded(texels, faces, size)
            if not marked.any():
                break
        if attempt < ATTEMPTS:
            charts = split(charts, marked, normals, areas, neighbours)
            continue
        alone = np.bincount(charts.label)[charts.label] == 1
        if alone[marked].any():
            raise StageFailed(f"cannot unwrap the mesh: {marked.sum()} of its faces overlap others in the texture")
        charts = dissolve(charts, marked, normals, areas)
    uvs = texels / size * [1, -1] + [0, 1]
    return Atlas(vertex, faces, uvs.astype(np.float32), len(charts.direction))


def _cut(mesh: Mesh, charts: Charts) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (Nv,), by index in the mesh, one copy for each chart that uses one; and the faces (F, 3) over them."""
    corner = charts.label[:, None] * len(mesh.vertices) + mesh.faces
    key, index = np.unique(corner.reshape(-1), return_inverse=True)
    return key % len(mesh.vertices), index.reshape(-1, 3).astype(np.int32)


def _flattened(mesh: Mesh, charts: Charts, vertex: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Coordinates (Nv, 2) in units of the mesh, each chart from (0, 0) and turned to fill its bounding box well."""
    label = np.empty(len(vertex), np.int64)
    label[faces] = charts.label[:, None]
    count = len(charts.direction)
    right, up = _frames(charts.direction)
    points = mesh.vertices[vertex].astype(np.float64)
    points = np.stack([(points * right[label]).sum(1), (points * up[label]).sum(1)], axis=1)
    best, smallest = points, np.full(count, np.inf)
    for turn in np.deg2rad(TURNS_DEG):
        turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
        np.minimum.at(low, label, turned)
        np.maximum.at(high, label, turned)
        extent = high - low
        better = extent.prod(1) < 0.99 * smallest
        smallest = np.where(better, extent.prod(1), smallest)
        # Upright: tall and narrow charts pack best side by side.
        lying = (extent[:, 0] > extent[:, 1])[label]
        placed = turned - low[label]
        placed[lying] = np.stack([(high[label] - turned)[lying, 1], placed[lying, 0]], axis=1)
        best = np.where(better[label][:, None], placed, best)
    return best


def _far_halves(flat: np.ndarray, label: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool, the faces in the farther half (along the longer side) of large charts that fill their box badly."""
    count = label.max() + 1
    a, b, c = (flat[faces[:, i]] for i in range(3))
    area = np.bincount(label, np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2, count)
    extent = np.zeros((count, 2))
    np.maximum.at(extent, label, np.maximum(np.maximum(a, b), c))
    box = extent.prod(1)
    hollow = (area < HOLLOW * box) & (box > LARGE * area.sum())
    return hollow[label] & (((a + b + c) / 3)[:, 1] > extent[label, 1] / 2)


def _frames(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes right and up (C, 3) across directions (C, 3), right-handed."""
    helper = np.where(np.abs(direction[:, 1:2]) < 0.9, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return right, np.cross(direction, right)


def _packed(flat: np.ndarray, label: np.ndarray, faces: np.ndarray, size: int, padding: int) -> np.ndarray:
    """Texel coordinates (Nv, 2) of flat charts, as large as a few tries make them fit.

    Charts fall like bricks, tall ones first (Levy et al., "Least squares conformal maps", 2002, section 4).
    """
    from zero123pp.recon.texturing.atlas_kernels import pack_charts, profiles

    order = np.argsort(label, kind="stable")
    first = np.searchsorted(label[order], np.arange(label.max() + 1))
    last = np.append(first[1:], len(label))
    chart = np.empty(len(flat), np.int64)
    chart[faces] = label[:, None]
    extent = np.zeros((len(first), 2))
    np.maximum.at(extent, chart, flat)
    margin = (padding + 1) // 2
    a, b, c = (flat[faces[:, i]] for i in range(3))
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    low_scale, high_scale = 0.0, size / np.sqrt(area)
    scale, best = 0.75 * high_scale, None
    for _ in range(8):
        width = np.floor(extent[:, 0] * scale).astype(np.int64) + 1 + 2 * margin
        offset = np.concatenate([[0], np.cumsum(width)])
        position = None
        if width.max() <= size:
            low, high = profiles(flat * scale, faces[order], first, last, offset, margin)
            tallest_first = np.argsort(-extent[:, 1], kind="stable")
            position = pack_charts(low, high, offset, tallest_first, size)
        if position is not None and (position >= 0).all():
            best, low_scale = flat * scale + position[chart] + margin, scale
        else:
            high_scale = scale
        if high_scale - low_scale < 0.02 * high_scale:
            break
        scale = (low_scale + high_scale) / 2
    if best is None:
        raise StageFailed(f"cannot unwrap the mesh: {len(first)} charts do not fit into {size}x{size} texels")
    return best
