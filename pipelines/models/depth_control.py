"""A mesh as the depth sheet of Zero123++'s depth ControlNet, see `zero123pp.diffusion.depth_picture`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.diffusion import depth_picture
from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Part

_IN_FRAME = (0.5, 1.02)
"""A mesh whose farthest vertex lies within these multiples of the object's radius is taken to be in the frame of this
project already, as an exported mesh is."""


def depth_sheet(mesh: str | Path | Part | Sequence[Part], rig: str, tile_px: int = 320) -> np.ndarray:
    """The six depths of a mesh as one control sheet.

    Args:
        mesh: a file, or meshes. Kept where it is when it fills the sphere of radius 0.5 round the origin; otherwise
            centred and scaled to it.
        rig: name of the rig of the sheet that the depth is to control.
        tile_px: side of one view, px.

    Returns:
        (3 S, 2 S, 4) uint8: depth in the colours, mask in the alpha.

    Raises:
        BadInput: an unusable mesh or rig, or one that none of the cameras sees.
    """
    parts = in_frame(mesh)
    vertices, faces = _joined(parts)
    depths = [linear_depth(vertices, faces, camera) for camera in get_rig(rig).cameras(tile_px)]
    if not any(depth.any() for depth in depths):
        raise BadInput("none of the rig's cameras sees the mesh; it has no visible surface")
    return tile_sheet(np.stack([depth_picture(depth) for depth in depths]))


def depth_from(mesh: str | Path | Part | Sequence[Part], camera: Camera) -> np.ndarray:
    """`linear_depth` of a mesh that is put into the frame as by `depth_sheet`."""
    return linear_depth(*_joined(in_frame(mesh)), camera)


def parts_of(mesh: str | Path | Part | Sequence[Part]) -> list[Part]:
    """The parts of a mesh file, or of what is given as meshes already."""
    from zero123pp.recon.load import load_parts

    if isinstance(mesh, str | Path):
        return load_parts(mesh)
    return [mesh] if isinstance(mesh, Part) else list(mesh)


def in_frame(mesh: str | Path | Part | Sequence[Part]) -> list[Part]:
    """The parts of a mesh in the object's sphere, see `depth_sheet`."""
    from zero123pp.recon.meshing import normalise

    parts = parts_of(mesh)
    vertices, faces = _joined(parts)
    if not len(faces):
        raise BadInput("the mesh has no faces")
    farthest = np.linalg.norm(vertices[np.unique(faces)], axis=1).max() / OBJECT_RADIUS
    return parts if _IN_FRAME[0] <= farthest <= _IN_FRAME[1] else normalise(parts)


def linear_depth(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> np.ndarray:
    """Distance to the camera plane (H, W) float64 of the surface through each pixel centre; 0 where there is none.

    The triangle comes from the rasteriser; where its plane meets the ray is solved again in double precision, so that
    the 8-bit picture does not depend on the back-end's rounding.
    """
    from zero123pp.recon.ops.raster import rasterize

    seen = rasterize(vertices, faces, camera)
    rotation, centre = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    corners = ((np.asarray(vertices, np.float64) - centre) @ rotation)[faces[seen.face[seen.covered]]]  # (n, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows, columns = np.nonzero(seen.covered)
    rays = np.stack(
        [(columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy, np.ones(len(rows))], axis=-1
    )
    facing = (normals * rays).sum(-1)
    # A triangle seen edge-on has no such point; there the rasteriser's depth stands.
    safe = np.abs(facing) > 1e-12 * np.linalg.norm(normals, axis=-1) * np.linalg.norm(rays, axis=-1)
    exact = (normals * corners[:, 0]).sum(-1) / np.where(safe, facing, 1)
    depth = np.zeros(seen.depth.shape)
    depth[seen.covered] = np.where(safe, exact, seen.depth[seen.covered])
    return depth


def _joined(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    from zero123pp.recon.meshing import geometry

    whole = geometry(parts)
    return np.asarray(whole.vertices, np.float64), whole.faces
