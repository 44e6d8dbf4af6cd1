"""Charts of a UV atlas: pieces of the surface that a projection along one direction flattens without folds.

Faces are labelled with one of six axis directions; an energy that rewards equal labels of neighbours keeps the charts
large and their borders short (iterated conditional modes, Besag 1986). Pieces of one label are charts; small ones join
a neighbour that can take them. Each chart is then projected along its own mean normal.
"""

from dataclasses import dataclass

import numpy as np

AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)

COHERENCE = 0.8
"""How much a face wants the label of its neighbours, against the cosine between its normal and the label's axis."""

SWEEPS = 12
"""Of the labelling; it has settled by then."""

STEEPEST = 0.25
"""Least cosine between a face and the direction it is projected along: a texel is stretched four times at most."""

SMALL = 0.004
"""Charts below this share of the surface join a neighbour where they can."""


@dataclass(frozen=True)
class Charts:
    """A partition of the faces."""

    label: np.ndarray
    """(F,) int64 chart of each face, 0..C-1."""
    direction: np.ndarray
    """(C, 3) unit vector along which each chart is projected; no face of it turns away from that."""


def partition(normals: np.ndarray, areas: np.ndarray, neighbours: np.ndarray) -> Charts:
    """Charts of a surface.

    Args:
        normals: (F, 3) unit, 0 for faces without area.
        areas: (F,).
        neighbours: (F, 3) faces across the edges, -1 for none (`face_neighbours`).
    """
    from zero123pp.recon.texturing.atlas_kernels import relabel

    smooth = _smoothed(normals * areas[:, None], neighbours)
    label = np.argmax(smooth @ AXES.T, axis=1)
    label = relabel(label, smooth @ AXES.T, normals @ AXES.T, neighbours, COHERENCE, STEEPEST, SWEEPS)
    return _merged(label, normals, areas, neighbours)


def split(charts: Charts, marked: np.ndarray, normals: np.ndarray, areas: np.ndarray, neighbours: np.ndarray) -> Charts:
    """The partition with the marked faces (F,) taken out of their charts into new ones."""
    piece = pieces(2 * charts.label + marked, neighbours)
    _, first = np.unique(piece, return_index=True)
    return Charts(piece, _directions(piece, charts.direction[charts.label[first]], normals, areas))


def dissolve(charts: Charts, marked: np.ndarray, normals: np.ndarray, areas: np.ndarray) -> Charts:
    """The partition with every chart that has a marked face (F,) taken apart: a face alone cannot fold over."""
    label = np.array(charts.label)
    apart = np.isin(label, label[marked])
    label[apart] = len(charts.direction) + np.arange(np.count_nonzero(apart))
    _, first, label = np.unique(label, return_index=True, return_inverse=True)
    label = label.reshape(-1)
    return Charts(label, _directions(label, charts.direction[charts.label[first]], normals, areas))


def face_neighbours(faces: np.ndarray) -> np.ndarray:
    """(F, 3) the face across each edge (corners 0-1, 1-2, 2-0); -1 at borders, and for a third face at an edge."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64), axis=1)
    key = edges[:, 0] * (edges.max(initial=0) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    same[1:] &= ~same[:-1]  # of three at one edge, the first two are a pair
    one, other = order[:-1][same], order[1:][same]
    across = np.full(len(key), -1)
    across[one], across[other] = other // 3, one // 3
    return across.reshape(-1, 3)


def pieces(label: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """(F,) connected pieces of equal label, numbered from 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    face, side = np.nonzero((neighbours >= 0) & (label[neighbours] == label[:, None]))
    graph = coo_array((np.ones(len(face), np.int8), (face, neighbours[face, side])), (len(label), len(label)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _smoothed(vectors: np.ndarray, neighbours: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Unit means (F, 3) of the vectors over growing neighbourhoods; noise of the surface cuts no charts."""
    has = (neighbours >= 0)[..., None]
    for _ in range(rounds):
        vectors = vectors + (vectors[neighbours] * has).sum(1)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def _directions(label: np.ndarray, fallback: np.ndarray, normals: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(C, 3) mean normal of each chart, or the ``fallback`` (C, 3) where a face is too steep for that."""
    count = len(fallback)
    mean = np.stack([np.bincount(label, areas * normals[:, axis], count) for axis in range(3)], axis=1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    mean /= np.where(length > 0, length, 1)
    usable = (length[:, 0] > 0) & (_lowest_cosine(label, mean, normals, count) >= STEEPEST)
    return np.where(usable[:, None], mean, fallback)


def _lowest_cosine(label: np.ndarray, direction: np.ndarray, normals: np.ndarray, count: int) -> np.ndarray:
    """(C,) the least cosine between the faces of a chart and its direction; faces without area do not count."""
    cosine = np.where(normals.any(1), (normals * direction[label]).sum(1), 1.0)
    lowest = np.ones(count)
    np.minimum.at(lowest, label, cosine)
    return lowest


def _merged(label: np.ndarray, normals: np.ndarray, areas: np.ndarray, neighbours: np.ndarray) -> Charts:
    """Charts from labels: small pieces, smallest first, join the neighbour of longest border that can take them."""
    from zero123pp.recon.texturing.atlas_kernels import merge

    piece = pieces(label, neighbours)
    count = int(piece.max()) + 1
    _, first = np.unique(piece, return_index=True)
    direction = _directions(piece, AXES[label[first]], normals, areas)
    area = np.bincount(piece, areas, count)
    order = np.argsort(piece, kind="stable")
    start = np.searchsorted(piece[order], np.arange(count + 1))
    small = np.argsort(area, kind="stable")
    small = small[area[small] < SMALL * area.sum()]
    target = merge(small, order, start, piece, direction, normals, neighbours, STEEPEST)
    kept, chart = np.unique(target[piece], return_inverse=True)
    return Charts(chart.reshape(-1), _directions(chart.reshape(-1), direction[kept], normals, areas))
