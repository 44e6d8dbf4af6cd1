"""One picture of a lit object: radiance, alpha, depth, normals."""

from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import pixel_centres, resized, unproject, view_from_world
from zero123pp.images import linear_to_srgb, to_uint8
from zero123pp.pipelines.views.surface import Surface
from zero123pp.recon.ops.raster import Fragments, rasterize
from zero123pp.render.environment import Environment
from zero123pp.render.light import Points, Scene, off_facets, smoothed_light
from zero123pp.render.ray_tables import pixel_phases
from zero123pp.types import Camera

_THICKNESS = 1.5
"""Samples further than this from a tangent plane are on another surface; in widths of a sample."""


@dataclass(frozen=True)
class Shot:
    """What a camera sees, before exposure."""

    radiance: np.ndarray
    """(H, W, 3) float32 linear, multiplied by alpha."""
    alpha: np.ndarray
    """(H, W) float32, the share of a pixel that the object covers."""
    depth: np.ndarray
    """(H, W) float32 at the pixel centres: distance to the camera plane, 0 where there is no surface."""
    normals: np.ndarray
    """(H, W, 3) float32 at the pixel centres: view-space unit normals, 0 where there is no surface."""
    brightness: np.ndarray
    """(n,) float32, how bright a matt white surface would be, at every sample on the object."""


def shoot(
    surface: Surface, scene: Scene, camera: Camera, environment: Environment, *, supersample: int = 2,
    samples: int = 8, roughness: float = 0.0, seed: int = 0,
) -> Shot:  # fmt: skip
    """The picture of an object.

    Args:
        surface: the object.
        scene: the same object, for rays.
        camera: of the result.
        environment: the light.
        supersample: points a pixel and side.
        samples: rays of light a point.
        roughness: of the gloss; 0 for a matt object.
        seed: fixes the rays.
    """
    s = supersample
    fine_camera = resized(camera, camera.width * s, camera.height * s)
    fine = rasterize(surface.vertices, surface.faces, fine_camera)
    points, albedo = _points(surface, fine, fine_camera)
    phase = pixel_phases(fine.covered)
    light = scene.light_at(points, phase, environment, samples=samples, roughness=roughness, seed=seed)
    step = float(fine.depth.max()) / fine_camera.fx  # of one sample in the world
    matt, gloss = np.split(smoothed_light(np.hstack(light), fine.covered, points, _THICKNESS * step), 2, axis=1)
    radiance = np.zeros((*fine.face.shape, 3), np.float32)
    radiance[fine.covered] = albedo * matt + gloss
    centre = fine if s == 1 else rasterize(surface.vertices, surface.faces, camera)
    normals = np.zeros((*centre.face.shape, 3), np.float32)
    normals[centre.covered] = _points(surface, centre, camera)[0].normal @ view_from_world(camera).T
    alpha = _box(fine.covered[..., None].astype(np.float32), s)[..., 0]
    return Shot(_box(radiance, s), alpha, centre.depth, normals, matt.mean(1))


def _points(surface: Surface, fragments: Fragments, camera: Camera) -> tuple[Points, np.ndarray]:
    """The points of the covered pixels, row-major, and their albedo (n, 3)."""
    covered = fragments.covered
    face, barycentric = fragments.face[covered], fragments.barycentric[covered]
    position = unproject(camera, pixel_centres(camera)[covered], fragments.depth[covered])
    view = camera.world_from_cam[:3, 3] - position
    view = (view / np.linalg.norm(view, axis=1, keepdims=True)).astype(np.float32)
    flat, smooth, corner_normals = surface.normals(face, barycentric, view)
    lifted = off_facets(position.astype(np.float32), barycentric, surface.vertices[surface.faces[face]], corner_normals)
    return Points(lifted, smooth, flat, view), surface.albedo(face, barycentric)


def _box(samples: np.ndarray, side: int) -> np.ndarray:
    """Mean over ``side`` x ``side`` samples of (H side, W side, C)."""
    height, width, channels = samples.shape
    return samples.reshape(height // side, side, width // side, side, channels).mean((1, 3))


def developed(shot: Shot, exposure: float) -> np.ndarray:
    """(H, W, 4) uint8 sRGB with straight alpha; radiance 1 / ``exposure`` becomes white."""
    rgb = shot.radiance / np.maximum(shot.alpha, 1e-6)[..., None] * exposure
    return to_uint8(np.dstack([linear_to_srgb(np.clip(rgb, 0, 1)), shot.alpha]))
