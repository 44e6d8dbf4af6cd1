"""UV atlases: cut a mesh into charts, flatten them, and pack them into a square (xatlas)."""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.topology import face_areas
from zero123pp.types import Mesh

MAX_CHART_SHARE = 0.05
"""Largest chart, as share of the surface. Growing a chart costs the square of its size: without a limit xatlas takes
2.5 times as long for the same number of charts."""

MAX_COST = 4.0
"""When xatlas stops to grow a chart (its default is 2): higher gives fewer charts and seams."""


@dataclass(frozen=True)
class Atlas:
    """A mesh cut along its UV seams."""

    vertex: np.ndarray
    """(Nv,) int64, the vertex of the mesh before unwrapping that each vertex is a copy of."""
    faces: np.ndarray
    """(F, 3) int32 indices of the new vertices, in the order of the faces before unwrapping."""
    uvs: np.ndarray
    """(Nv, 2) float32 in [0, 1], u right, v up."""


def unwrap(mesh: Mesh, size: int, padding: int) -> Atlas:
    """Texture coordinates for every triangle, without overlaps.

    Args:
        mesh: any triangle mesh.
        size: side of the square texture, texels.
        padding: least distance between charts, texels.

    Raises:
        StageFailed: xatlas returned no chart (a mesh without area).
    """
    import xatlas

    chart, pack = xatlas.ChartOptions(), xatlas.PackOptions()
    chart.max_cost = MAX_COST
    # xatlas has absolute tolerances: a small object far from the origin would have no area for it.
    size_of_mesh = float(np.ptp(mesh.vertices, axis=0).max()) or 1.0
    positions = (mesh.vertices - mesh.vertices.min(0)) / np.float32(size_of_mesh)
    chart.max_chart_area = MAX_CHART_SHARE * float(face_areas(mesh).sum()) / size_of_mesh**2
    pack.resolution = size
    # xatlas overshoots the resolution it is asked for by up to a half, and is scaled back with all its gaps.
    pack.padding = int(np.ceil(1.5 * padding))
    atlas = xatlas.Atlas()
    atlas.add_mesh(positions, mesh.faces.astype(np.uint32))
    atlas.generate(chart, pack)
    vertex, faces, uvs = atlas[0]
    if atlas.chart_count == 0 or not np.isfinite(uvs).all():
        raise StageFailed(f"cannot unwrap the mesh: no UV chart from its {len(mesh.faces)} faces")
    return Atlas(vertex.astype(np.int64), faces.astype(np.int32), uvs.astype(np.float32))
