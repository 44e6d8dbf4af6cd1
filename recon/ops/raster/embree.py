"""Rasterisation by ray casting with Intel Embree (the embreex wheel): an independent second implementation."""

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from zero123pp.recon.ops.raster.fragments import Fragments
from zero123pp.types import Camera


def rasterize(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Fragments:
    """See `zero123pp.recon.ops.raster.rasterize`."""
    rotation, centre = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    in_cam = (vertices - centre) @ rotation
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    # Directions of unit depth: the length along the ray is then the depth itself.
    directions = np.stack([*np.meshgrid(x, y), np.ones((camera.height, camera.width))], axis=-1)
    return _cast(in_cam, faces, np.zeros_like(directions), directions)


def rasterize_uv(uvs: np.ndarray, faces: np.ndarray, width: int, height: int) -> Fragments:
    """See `zero123pp.recon.ops.raster.rasterize_uv`."""
    points = np.concatenate([uvs, np.ones((len(uvs), 1))], axis=1)
    u, v = (np.arange(width) + 0.5) / width, 1 - (np.arange(height) + 0.5) / height
    origins = np.stack([*np.meshgrid(u, v), np.zeros((height, width))], axis=-1)
    return _cast(points, faces, origins, np.broadcast_to([0.0, 0.0, 1.0], origins.shape))


def _cast(points: np.ndarray, faces: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Fragments:
    """First hits of rays (H, W, 3) with the triangles; the length along the ray is the depth."""
    shape = origins.shape[:2]
    face = np.full(shape, -1, np.int32)
    barycentric = np.zeros((*shape, 3), np.float32)
    depth = np.zeros(shape, np.float32)
    if len(faces):  # Embree takes no empty mesh
        scene = EmbreeScene(robust=True)  # no ray slips through a shared edge
        TriangleMesh(scene, points.astype(np.float32), faces)
        rays = [np.ascontiguousarray(rays.reshape(-1, 3), np.float32) for rays in (origins, directions)]
        hits = scene.run(*rays, output=True)
        face = hits["primID"].astype(np.int32).reshape(shape)
        hit = face >= 0
        u, v = hits["u"].reshape(shape)[hit], hits["v"].reshape(shape)[hit]
        barycentric[hit] = np.stack([1 - u - v, u, v], axis=-1)
        depth[hit] = hits["tfar"].reshape(shape)[hit]
    return Fragments(face, barycentric, depth)
