"""Signed distances of any triangle soup at random points, and coloured points on its surface.

Inside is where the generalised winding number (Jacobson et al. 2013) is at least a half in size, so open, overlapping
and inside-out meshes have an inside as well. Faces with the same answer on both sides (sheets: leaves, cloth, bowls
without thickness) enclose nothing; they are given a thickness, else no field could show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.recon.meshing import join
from zero123pp.recon.render import look_up
from zero123pp.types import Mesh, Part, TexturedMesh

SHEET_HALF_THICKNESS = 0.006
"""World units; the surface round a sheet lies this far from it."""

_PROBE = 1e-3
"""How far from a face its two sides are looked at, world units."""

_NEAR_SPREADS = ((0.01, 0.5), (0.03, 0.35), (0.1, 0.15))
"""Standard deviation (world units) of the points round the surface, and the share of them with it."""


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on a surface, area-weighted."""

    points: np.ndarray
    """(N, 3) float32, world frame."""
    normals: np.ndarray
    """(N, 3) float32, of the faces, unit."""
    rgb: np.ndarray
    """(N, 3) uint8 sRGB."""


def sample_colored(parts: Sequence[Part], count: int, rng: np.random.Generator) -> SurfaceSamples:
    """Random points on all parts together with their unlit colours."""
    meshes = [part.mesh if isinstance(part, TexturedMesh) else part for part in parts]
    crosses = [_face_crosses(mesh) for mesh in meshes]
    areas = np.concatenate([np.linalg.norm(cross, axis=1) for cross in crosses])
    chosen = np.sort(rng.choice(len(areas), count, p=areas / areas.sum()))
    weights = rng.dirichlet((1, 1, 1), count).astype(np.float32)  # uniform on a triangle
    points, normals, rgb = (np.zeros((count, 3), np.float32) for _ in range(3))
    first = 0
    for part, mesh, cross in zip(parts, meshes, crosses):
        of_part = (chosen >= first) & (chosen < first + len(mesh.faces))
        faces, weight = chosen[of_part] - first, weights[of_part, :, None]
        corners = mesh.faces[faces]
        points[of_part] = (mesh.vertices[corners] * weight).sum(1)
        normals[of_part] = cross[faces] / np.maximum(np.linalg.norm(cross[faces], axis=1, keepdims=True), 1e-12)
        rgb[of_part] = _colors(part, corners, weight)
        first += len(mesh.faces)
    return SurfaceSamples(points, normals, np.round(rgb * 255).astype(np.uint8))


def _face_crosses(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    return np.cross(b - a, c - a)


def _colors(part: Part, corners: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(n, 3) in [0, 1]."""
    if isinstance(part, TexturedMesh):
        return look_up(part.base_color, (part.uvs[corners] * weight).sum(1))
    if part.colors is None:
        return np.full((len(corners), 3), 0.7, np.float32)
    return (part.colors[corners] / np.float32(255) * weight).sum(1)


def near_and_far_points(surface: np.ndarray, count: int, half_side: float, rng: np.random.Generator) -> np.ndarray:
    """Points (count, 3) float32: three quarters scattered round surface points, the rest anywhere in the cube."""
    near = count * 3 // 4
    spreads = [spread for spread, _ in _NEAR_SPREADS]
    sigma = rng.choice(spreads, near, p=[share for _, share in _NEAR_SPREADS])[:, None]
    around = surface[rng.integers(len(surface), size=near)] + sigma * rng.normal(size=(near, 3))
    anywhere = rng.uniform(-half_side, half_side, (count - near, 3))
    return np.concatenate([around, anywhere]).astype(np.float32)


def signed_distances(parts: Sequence[Part], points: np.ndarray) -> np.ndarray:
    """Signed distance (N,) float32 of points (N, 3) to the solid that the parts mean (see the module's header)."""
    import igl

    mesh = join([part.mesh if isinstance(part, TexturedMesh) else part for part in parts])
    vertices, faces = mesh.vertices.astype(np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    crosses = _face_crosses(mesh)
    solid = np.linalg.norm(crosses, axis=1) > 0
    faces, crosses = faces[solid], crosses[solid]
    points = np.asarray(points, np.float64)
    squared, nearest = igl.point_mesh_squared_distance(points, vertices, faces)[:2]
    unsigned = np.sqrt(squared)
    centres, normals = vertices[faces].mean(1), crosses / np.linalg.norm(crosses, axis=1, keepdims=True)
    queries = np.concatenate([points, centres + _PROBE * normals, centres - _PROBE * normals])
    inside = np.abs(igl.fast_winding_number(vertices, faces, queries)) > 0.5
    of_points, above, below = np.split(inside, [len(points), len(points) + len(faces)])
    sheet = (~above & ~below)[nearest.reshape(-1)]
    return np.where(of_points, -unsigned, unsigned - np.where(sheet, SHEET_HALF_THICKNESS, 0)).astype(np.float32)
