"""A finer surface's normals as a picture over a coarser one, in the tangent space of `with_tangents`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zero123pp.images import to_uint8
from zero123pp.machine import in_threads
from zero123pp.recon.meshing import face_normals, smooth_normals
from zero123pp.recon.ops import kernel_input
from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.render import bent, bitangents
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.recon.texturing.tangents import with_tangents
from zero123pp.types import Part, TexturedMesh

CELLS = 96
"""Cells of the search grid along the longest side of the fine surface."""

REACH = 8
"""Cells that a texel looks around; the surfaces are a small part of that apart, where one is made of the other."""

AT_ONCE = 1 << 18
"""Texels that one thread works on at a time."""

LEAST_Z = 0.02
"""A pixel's normal stands out of its triangle at least by this: glTF has no normals that point inward."""


def with_normal_map(asset: TexturedMesh, fine: Part, size: int) -> TexturedMesh:
    """The asset with tangents and a normal map, so that it is shaded as the fine surface is.

    Each texel takes the normal of the nearest point of the fine surface that does not face away from it.

    Args:
        asset: the coarse surface with its atlas, without overlaps.
        fine: in the same frame; its vertex normals and its normal map count where it has them.
        size: of the map's longer side, texels; its shape is that of the texture.
    """
    asset = with_tangents(asset)
    height, width = asset.base_color.shape[:2]
    scale = size / max(height, width)
    height, width = max(round(height * scale), 1), max(round(width * scale), 1)
    fragments = rasterize_uv(asset.uvs, asset.mesh.faces, width, height)
    frame = np.concatenate([asset.mesh.vertices, asset.normals, asset.tangents], axis=1)
    at = fragments.interpolate(asset.mesh.faces, frame)
    nearby = normals_of(fine)

    def local(part: np.ndarray) -> np.ndarray:
        position, normal, tangent = part[:, :3], part[:, 3:6], part[:, 6:]
        seen = _in_frame(nearby(position, normal), normal, tangent)
        seen[:, 2] = np.maximum(seen[:, 2], LEAST_Z)
        return to_uint8(_unit(seen) / 2 + 0.5)

    parts = np.array_split(at, max(len(at) // AT_ONCE, 1))
    picture = np.broadcast_to(np.uint8([128, 128, 255]), (height, width, 3)).copy()
    picture[fragments.covered] = np.concatenate(in_threads(local, parts))
    return replace(asset, normal_map=fill_nearest(picture, fragments.covered))


def normals_of(fine: Part) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of points (n, 3) and unit normals there: the surface's unit normals (n, 3) where it is nearest.

    What faces away from the given normals is not looked at, and they are taken where nothing is left.
    """
    from zero123pp.recon.texturing.surface_kernels import cells_of, nearest_facing

    textured = isinstance(fine, TexturedMesh)
    mesh = fine.mesh if textured else fine
    of_vertices = fine.normals if textured and fine.normals is not None else smooth_normals(mesh)
    corners = kernel_input(mesh.vertices[mesh.faces], np.float64)
    low = mesh.vertices.min(0).astype(np.float64)
    extent = mesh.vertices.max(0) - low
    cell = max(float(extent.max()) / CELLS, 1e-9)
    shape = (extent / cell).astype(np.int64) + 1
    start, found = cells_of(corners, low, cell, shape)
    facing = kernel_input(face_normals(mesh.vertices, mesh.faces), np.float64)
    values = [of_vertices]
    if textured and fine.normal_map is not None and fine.tangents is not None:
        values += [fine.tangents, fine.uvs]
    values = np.concatenate(values, axis=1)

    def nearby(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        face, weights = nearest_facing(
            kernel_input(points, np.float64), kernel_input(normals, np.float64), corners, facing, start, found, low,
            cell, shape, REACH,
        )  # fmt: skip
        seen = _interpolated(values, mesh.faces[face], weights)
        there = seen if seen.shape[1] == 3 else bent(fine.normal_map, seen[:, :3], seen[:, 3:7], seen[:, 7:])
        length = np.linalg.norm(there, axis=1, keepdims=True)
        return np.where((face >= 0)[:, None] & (length > 1e-6), there / np.maximum(length, 1e-6), _unit(normals))

    return nearby


def _in_frame(wanted: np.ndarray, normals: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Coordinates (n, 3) of vectors in the frames of tangent, bitangent and normal, which need not be orthonormal."""
    along, across = tangents[:, :3], bitangents(normals, tangents)
    rows = [np.cross(across, normals), np.cross(normals, along), np.cross(along, across)]
    volume = (along * rows[0]).sum(1)
    volume = np.where(np.abs(volume) > 1e-9, volume, 1e-9)
    return np.stack([(wanted * row).sum(1) / volume for row in rows], axis=1)


def _interpolated(values: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Vertex values (Nv, C) at places on faces (n, 3)."""
    return sum(weights[:, corner, None] * values[faces[:, corner]] for corner in range(3))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
