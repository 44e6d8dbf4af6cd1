"""One picture of a lit object: radiance, alpha, depth, normals."""

from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import resized, view_from_world
from zero123pp.images import linear_to_srgb, to_uint8
from zero123pp.pipelines.training_data.multiview.surface import Surface
from zero123pp.recon.ops.raster import rasterize
from zero123pp.render import Environment, Scene, pixel_phases, smoothed_light
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
    seen = fine.face[fine.covered], fine.barycentric[fine.covered]
    eye = camera.world_from_cam[:3, 3]
    points = surface.points(*seen, eye)
    phase = pixel_phases(fine.covered)
    light = scene.light_at(points, phase, environment, samples=samples, roughness=roughness, seed=seed)
    step = float(fine.depth.max()) / fine_camera.fx  # of one sample in the world
    matt, gloss = np.split(smoothed_light(np.hstack(light), fine.covered, points, _THICKNESS * step), 2, axis=1)
    radiance = np.zeros((*fine.face.shape, 3), np.float32)
    radiance[fine.covered] = surface.albedo(*seen) * matt + gloss
    centre = fine if s == 1 else rasterize(surface.vertices, surface.faces, camera)
    normals = np.zeros((*centre.face.shape, 3), np.float32)
    middle = surface.points(centre.face[centre.covered], centre.barycentric[centre.covered], eye)
    normals[centre.covered] = middle.normal @ view_from_world(camera).T.astype(np.float32)
    alpha = _box(fine.covered[..., None].astype(np.float32), s)[..., 0]
    return Shot(_box(radiance, s), alpha, centre.depth, normals, (matt[:, 0] + matt[:, 1] + matt[:, 2]) / 3)


def _box(samples: np.ndarray, side: int) -> np.ndarray:
    """Mean over ``side`` x ``side`` samples of (H side, W side, C); sums of slices, as NumPy is slow on short axes."""
    total = sum(samples[row::side, column::side] for row in range(side) for column in range(side))
    return total / np.float32(side * side)


def developed(shot: Shot, exposure: float) -> np.ndarray:
    """(H, W, 4) uint8 sRGB with straight alpha; radiance 1 / ``exposure`` becomes white."""
    rgb = shot.radiance / np.maximum(shot.alpha, 1e-6)[..., None] * exposure
    return to_uint8(np.dstack([linear_to_srgb(np.clip(rgb, 0, 1)), shot.alpha]))
