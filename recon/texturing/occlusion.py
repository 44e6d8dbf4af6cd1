"""Ambient occlusion as a picture over a textured mesh: how much of the sky each place sees."""

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.images import to_uint8
from zero123pp.machine import in_threads
from zero123pp.recon.ops import kernel_input
from zero123pp.recon.ops.raster import rasterize, rasterize_uv
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.types import TexturedMesh

DIRECTIONS = 128
"""Cameras round the object; about half of them stand above the horizon of a place."""

DEPTH_PX = 384
"""Side of their depth pictures: hollows narrower than some of these pixels are not dark."""

_FAR = 12.0
"""Distance of the cameras in diameters of the object, so that their rays are nearly parallel."""


def occlusion_of(asset: TexturedMesh, size: int) -> np.ndarray:
    """Share (H, W) uint8 of the sky, weighted by the cosine, that is not hidden by the object: 255 is all of it.

    The integral of visibility x cosine over the hemisphere (Landis, "Production-ready global illumination", SIGGRAPH
    2002 course 16) as a sum over directions spread evenly over the sphere, each one depth picture.

    Args:
        asset: with an atlas without overlaps.
        size: of the picture's longer side, texels; its shape is that of the texture.
    """
    from zero123pp.recon.meshing import smooth_normals

    height, width = asset.base_color.shape[:2]
    scale = size / max(height, width)
    fragments = rasterize_uv(asset.uvs, asset.mesh.faces, max(round(width * scale), 1), max(round(height * scale), 1))
    low, high = asset.mesh.vertices.min(0), asset.mesh.vertices.max(0)
    vertices = (asset.mesh.vertices - (low + high) / 2) / max(float(np.linalg.norm(high - low)), 1e-12)
    normals = smooth_normals(asset.mesh) if asset.normals is None else asset.normals
    at = fragments.interpolate(asset.mesh.faces, np.concatenate([vertices, normals], axis=1))
    position, normal = kernel_input(at[:, :3], np.float32), at[:, 3:]
    normal = kernel_input(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9), np.float32)
    sums = in_threads(lambda angles: _seen_from(*angles, vertices, asset.mesh.faces, position, normal), _directions())
    seen, could = np.sum(sums, axis=0)
    picture = np.full((*fragments.face.shape, 1), 255, np.uint8)
    picture[fragments.covered, 0] = to_uint8(np.clip(seen / np.maximum(could, 1e-6), 0, 1))
    return fill_nearest(picture, fragments.covered)[..., 0]


def _directions() -> list[tuple[float, float]]:
    """Azimuths and elevations, degrees, of points spread evenly over the sphere (a spherical Fibonacci lattice)."""
    k = np.arange(DIRECTIONS) + 0.5
    elevation = np.degrees(np.arcsin(1 - 2 * k / DIRECTIONS))
    azimuth = np.degrees(np.pi * (1 + 5**0.5) * k) % 360
    return list(zip(azimuth.tolist(), elevation.tolist()))


def _seen_from(
    azimuth: float, elevation: float, vertices: np.ndarray, faces: np.ndarray, position: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """Rows (2, n) of the cosine to this direction: where the camera there sees the place, and wherever it is above."""
    from zero123pp.recon.texturing.texel_kernels import look

    camera = orbit_camera(azimuth, elevation, _FAR, float(np.degrees(2 * np.arcsin(0.5 / _FAR))) * 1.02, DEPTH_PX)
    depth = rasterize(vertices, faces, camera).depth
    everywhere = np.ones((DEPTH_PX, DEPTH_PX, 1), np.float32)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    _, seen, _ = look(position, normal, camera.world_from_cam, intrinsics, everywhere, depth, camera.fx / _FAR)
    towards = camera.world_from_cam[:3, 3] / np.linalg.norm(camera.world_from_cam[:3, 3])
    return np.stack([seen, np.maximum(normal @ towards.astype(np.float32), 0)])
