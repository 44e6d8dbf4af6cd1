"""From an asset to the solid that is printed."""

from typing import Any, NamedTuple

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.recon.export.printing.walls import Walls, measured
from zero123pp.recon.meshing import face_areas, face_normals, topology, welded
from zero123pp.types import Mesh, Part, TexturedMesh

THINNEST = 1 / 200
"""Least wall, as a share of the longest side; it takes a minute there."""

_OVER = 1.08
"""Diameter of the balls in walls: between their centres, and between nodes, their surface sinks in."""
_NODE = 3.0
"""Nodes of the grid along the least wall."""
_MOST_NODES = 3e7
_LEVEL = 0.01
"""How far above the lowest point a face may lie to stand on the bed, in walls."""
_STANDS = 0.01
"""Share of the ground plan from which a base is a base."""
_MOST_CUT = 0.05
"""Of the height, for the base."""
_PARTED = 2e-6
"""Of the longest side: places nearer to each other are moved apart."""
_DETAIL = 120
"""Edges along the longest side, where colours are kept at vertices."""


class Printed(NamedTuple):
    """The solid, and what was done to it; lengths in units of the mesh."""

    mesh: Mesh
    """Closed and manifold, with the colours of the asset."""
    thinnest: float
    """Wall of the asset; infinite where all are as thick as asked for."""
    thin_share: float
    """Of the asset's surface."""
    cut: float
    """Height that was cut off for the base."""
    base_area: float


def printable(asset: Part, wall: float, *, colors: bool = True) -> Printed:
    """The asset with walls of at least ``wall``, on a flat base.

    Where a wall is thinner, balls of that diameter along its middle are joined to the solid; all other places keep
    their surface. What does not stand on a plane already is cut off half a wall above its lowest point
    (or 5 % of its height).

    Args:
        asset: closed, +Y up.
        wall: in its units; at least `THINNEST` of its longest side.
        colors: give the vertices the asset's colours, and enough vertices to show them.

    Raises:
        BadInput: the surface is not closed, or the wall is too thin or thicker than the object.
    """
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    mesh = topology.made_sound(welded(Mesh(mesh.vertices, mesh.faces)))
    if mesh is None:
        raise BadInput("what is printed has to be a closed surface, and this one is not")
    sides, low = np.ptp(mesh.vertices, axis=0).astype(float), float(mesh.vertices[:, 1].min())
    check_wall(wall, float(sides.max()))
    cut = 0.0 if _base(mesh, low, wall) >= _STANDS * sides[0] * sides[2] else min(wall / 2, _MOST_CUT * sides[1])
    before, solid = measured(mesh, wall), _above(topology.manifold_of(mesh), low + cut)
    walls = before if cut == 0 else measured(_mesh_of(solid), wall)
    if walls.is_thin.any():
        solid = _above(solid + topology.manifold_of(_thicker(walls, wall, low + cut)), low + cut)
    solid = solid.simplify(_LEVEL * wall)
    if colors:
        solid = solid.refine_to_length(float(sides.max()) / _DETAIL)
    made = _mesh_of(solid)
    # Slivers of the cuts have corners that are one as soon as somebody rounds them: they are parted for good.
    grid = _PARTED * float(sides.max())
    made = topology.made_sound(made.with_vertices(np.round(made.vertices.astype(np.float64) / grid) * grid)) or made
    base = _base(made, low + cut, wall)
    made = _colored_like(made, asset) if colors else made
    return Printed(made, before.thinnest, float(before.is_thin.mean()), cut, base)


def check_wall(wall: float, longest: float) -> None:
    """BadInput for a wall, metres, that an object of that longest side cannot have."""
    if not THINNEST * longest <= wall <= longest / 2:
        least, most = 1000 * THINNEST * longest, 1000 * longest / 2
        raise BadInput(
            f"walls of {1000 * wall:g} mm are asked for; expected {least:.3g} to {most:.3g} mm for an object of "
            f"{1000 * longest:.4g} mm: give another --wall or --size"
        )


def _thicker(walls: Walls, wall: float, bed: float) -> Mesh:
    """What makes thin walls thick: the balls in their middle, and where they reach under the bed also above it."""
    middle = walls.centre[walls.is_thin]
    lifted = middle[middle[:, 1] < bed + wall / 2]
    lifted = np.column_stack([lifted[:, 0], np.full(len(lifted), bed + wall / 2), lifted[:, 2]])
    return _along(np.concatenate([middle, lifted]), wall)


def _above(solid: Any, level: float) -> Any:
    return solid.trim_by_plane((0.0, 1.0, 0.0), level)


def _along(centres: np.ndarray, wall: float) -> Mesh:
    """The surface of all balls of diameter ``wall`` round ``centres`` (n, 3) together."""
    from scipy.ndimage import maximum_filter1d
    from scipy.spatial import cKDTree
    from skimage.measure import marching_cubes

    low, high = centres.min(0) - wall, centres.max(0) + wall
    cell = max(wall / _NODE, float(np.prod(high - low) / _MOST_NODES) ** (1 / 3))
    shape = np.ceil((high - low) / cell).astype(int) + 1
    near = np.zeros(shape, bool)
    near[tuple(np.round((centres - low) / cell).astype(int).T)] = True
    reach = int(np.ceil(wall / 2 / cell)) + 2
    for axis in range(3):
        near = maximum_filter1d(near, 2 * reach + 1, axis=axis)
    near[[0, -1]] = near[:, [0, -1]] = near[:, :, [0, -1]] = False
    nodes = np.argwhere(near)
    distance = np.full(shape, 2 * cell, np.float32)
    distance[near] = cKDTree(centres).query(low + cell * nodes)[0] - _OVER * wall / 2
    vertices, faces, _, _ = marching_cubes(distance, 0.0, gradient_direction="ascent")
    return topology.outward(Mesh((low + cell * vertices).astype(np.float32), faces))


def _mesh_of(solid: Any) -> Mesh:
    found = solid.to_mesh()
    return Mesh(found.vert_properties[:, :3], found.tri_verts.astype(np.int32))


def _base(mesh: Mesh, level: float, wall: float) -> float:
    """Area of the faces that lie on the plane at ``level`` and face down."""
    height = mesh.vertices[mesh.faces][..., 1] - level
    lies = (np.abs(height).max(1) < _LEVEL * wall) & (face_normals(mesh.vertices, mesh.faces)[:, 1] < -0.9)
    return float(face_areas(mesh)[lies].sum())


def _colored_like(mesh: Mesh, asset: Part) -> Mesh:
    """The mesh with the colours that the asset has nearest to each vertex."""
    from scipy.spatial import cKDTree

    from zero123pp.recon.ops.raster import rasterize_uv

    if isinstance(asset, TexturedMesh):
        height, width = asset.base_color.shape[:2]
        fragments = rasterize_uv(asset.uvs, asset.mesh.faces, width, height)
        places = fragments.interpolate(asset.mesh.faces, asset.mesh.vertices)
        colors = asset.base_color[fragments.covered]
    elif asset.colors is not None:
        places, colors = asset.vertices, asset.colors
    else:
        return mesh
    return Mesh(mesh.vertices, mesh.faces, colors[cKDTree(places).query(mesh.vertices)[1]])
