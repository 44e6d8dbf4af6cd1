"""Values for texels that have none: from their neighbours in the picture, or on the surface."""

import numpy as np

from zero123pp.recon.ops import kernel_input
from zero123pp.types import Mesh

NORMAL_WEIGHT = 0.15
"""World units that a unit of normal difference counts as distance, so that colour does not leak through thin walls."""

NEIGHBOURS = 8


def fill_nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture with each unknown pixel set to the value of (nearly) the nearest known one.

    Args:
        values: (H, W, C).
        known: (H, W) bool; where none is known the picture comes back unchanged.
    """
    if not known.any() or known.all():
        return values
    # scipy's distance_transform_edt finds the same but for ties (0.2 % of the texels: other bytes), in twice the time.
    from zero123pp.recon.texturing.texel_kernels import nearest_known

    row, column = nearest_known(kernel_input(known))
    return values[row, column]


def fill_on_surface(mesh: Mesh, normals: np.ndarray, colors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Colours of all vertices from those of some.

    They spread along the surface, each unknown vertex being the mean of its neighbours (the discrete Laplace equation),
    so they meet the known ones without a step. A piece of the surface without any known vertex takes its colours from
    the nearest ones in (position, normal).

    Args:
        mesh: Nv vertices, joined across UV seams.
        normals: (Nv, 3) unit.
        colors: (Nv, 3), used where known.
        known: (Nv,) bool, some are.

    Returns:
        (Nv, 3) float64.
    """
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import splu

    filled = np.array(colors, float)
    if known.all():
        return filled
    count = len(mesh.vertices)
    start, end = mesh.faces[:, [0, 1, 2]].reshape(-1), mesh.faces[:, [1, 2, 0]].reshape(-1)
    reachable = _reachable(start, end, known)
    lost = ~known & ~reachable
    if lost.any():
        filled[lost] = _nearest_on_surface(
            mesh.vertices[lost], normals[lost], mesh.vertices[known], normals[known], filled[known]
        )
    wanted = np.flatnonzero(~known & reachable)
    if not len(wanted):
        return filled
    adjacency = coo_array((np.ones(2 * len(start)), (np.r_[start, end], np.r_[end, start])), (count, count)).tocsr()
    rows = adjacency[wanted]
    degree = np.asarray(rows.sum(axis=1)).reshape(-1)
    laplacian = diags_array(degree) - rows[:, wanted]
    fixed = np.flatnonzero(known)
    filled[wanted] = splu(laplacian.tocsc()).solve(rows[:, fixed] @ filled[fixed])
    return filled


def _reachable(start: np.ndarray, end: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(Nv,) bool, vertices of a connected piece of the surface that has a known one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(start), np.int8), (start, end)), (len(known), len(known)))
    _, piece = connected_components(graph, directed=False)
    return np.bincount(piece, known)[piece] > 0


def _nearest_on_surface(
    points: np.ndarray, normals: np.ndarray, known_points: np.ndarray, known_normals: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """Colours (n, 3) at points from the nearest known ones in (position, normal), by inverse squared distance."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.concatenate([known_points, NORMAL_WEIGHT * known_normals], axis=1))
    query = np.concatenate([points, NORMAL_WEIGHT * normals], axis=1)
    distance, nearest = tree.query(query, k=np.arange(1, min(NEIGHBOURS, len(known_points)) + 1))
    weight = 1 / (distance**2 + 1e-8)
    return (weight[..., None] * colors[nearest]).sum(1) / weight.sum(1, keepdims=True)
