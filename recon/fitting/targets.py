"""What the fit compares its rays with: pixels of the views at the resolution of a level, as a table of rays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import pixel_rays, view_from_world
from zero123pp.machine import in_threads
from zero123pp.recon.fitting.config import FitConfig
from zero123pp.recon.ops import shrunk
from zero123pp.recon.ops.field import rays as ray
from zero123pp.types import View

REACH = 2.5
"""Nodes less than this above the floor, in voxels, are optimised."""
_PIXELS_PER_VOXEL = 2.5
"""Views are averaged down to this many pixels a voxel: finer detail than the grid can show only costs time."""
_SOLID = 0.9
"""Alpha from which a pixel shows nothing but the object."""
_LEAST_CONTRAST = 0.025
"""A plainer object than this, 6 of 255, shows noise and rounding."""
_MARGIN_PX = 2
"""Pixels beside a silhouette that are looked at as well, px of a level's pictures."""
_NEAR_GRID = 16
"""Rays of cameras farther than so many half extents start at that distance; the grid's corners are at 1.74."""


@dataclass(frozen=True)
class LevelTargets:
    """What a grid of n^3 nodes is fitted to."""

    floor: np.ndarray
    """(n, n, n) the least distance allowed, voxels."""
    rays: np.ndarray
    """(R, RAY_SIZE), see `zero123pp.recon.ops.field.rays`."""
    pixels: np.ndarray
    """(R,) whose rays they are, counted through all pixels of all views."""
    views: list[View]
    """In the size that suits the grid."""


def level_targets(views: Sequence[View], hull: np.ndarray, half_extent: float, config: FitConfig) -> LevelTargets:
    """What a level is fitted to, with the hull (n, n, n) in voxels."""
    resolution = len(hull)
    voxel = 2 * half_extent / (resolution - 1)
    pixels = [pixel_size(view) for view in views]
    small = in_threads(lambda view, pixel: shrunk(view, voxel / _PIXELS_PER_VOXEL / pixel), views, pixels)
    tolerance = config.hull_tolerance_px * float(
        np.mean([pixel * view.camera.width / 320 for view, pixel in zip(views, pixels)])
    )
    floor = hull - tolerance / voxel
    table = ray_table(small, half_extent, resolution, _MARGIN_PX, config.weight_normal)
    ray.clip_to_hull(floor.reshape(-1), resolution, table, np.float32(REACH))
    pixels = np.flatnonzero(np.concatenate([_near_object(view, _MARGIN_PX).ravel() for view in small]))
    meets = table[:, ray.FAR] > table[:, ray.NEAR]
    return LevelTargets(floor, table[meets], pixels[meets], small)


def _near_object(view: View, margin_px: int) -> np.ndarray:
    """(H, W) bool: pixels on the object and up to ``margin_px`` beside it."""
    from scipy.ndimage import maximum_filter

    return maximum_filter(view.alpha, 2 * margin_px + 1) > 0


def contrast(views: Sequence[View]) -> float:
    """Standard deviation of the object's sRGB over all views, mean of the channels; at least `_LEAST_CONTRAST`.

    1 where no pixel is wholly the object's.
    """
    shown = np.concatenate([view.rgb[view.alpha > _SOLID] for view in views])
    return max(float(shown.std(0, dtype=np.float64).mean()), _LEAST_CONTRAST) if len(shown) else 1.0


def pixel_size(view: View) -> float:
    """Of a pixel of the view at the origin's distance, world units."""
    camera = view.camera
    return np.linalg.norm(camera.world_from_cam[:3, 3]) / np.sqrt(camera.fx * camera.fy)


def ray_table(
    views: Sequence[View],
    half_extent: float,
    resolution: int,
    margin_px: int,
    normal_weight: float = 1.0,
) -> np.ndarray:
    """Rays (R, RAY_SIZE) float32 through all pixels on the objects and up to ``margin_px`` beside them.

    Lengths are in voxels of the grid; see `zero123pp.recon.ops.field.rays` for the columns. NEAR and FAR cover
    everything in front of the camera. ``normal_weight`` scales the trust in the views' normals.
    """
    per_voxel = (resolution - 1) / (2 * half_extent)

    def of_view(view: View) -> np.ndarray:
        near_object = _near_object(view, margin_px)
        origin, directions = pixel_rays(view.camera)
        table = np.zeros((np.count_nonzero(near_object), ray.RAY_SIZE), np.float32)
        directions = directions[near_object]
        # Single precision does not reach from a very far camera (a long lens) to the grid: rays start in front of it.
        ahead = max(np.linalg.norm(origin) - _NEAR_GRID * half_extent, 0.0)
        table[:, ray.ORIGIN : ray.ORIGIN + 3] = (origin + ahead * directions + half_extent) * per_voxel
        table[:, ray.DIRECTION : ray.DIRECTION + 3] = directions
        table[:, ray.FAR] = 1e6  # beyond every grid; infinities do not go with the kernels' fastmath
        table[:, ray.COLOR : ray.COLOR + 3] = view.rgb[near_object]
        table[:, ray.ALPHA] = view.alpha[near_object]
        table[:, ray.WEIGHT] = view.confidence
        if view.normal is not None:
            normal, weight = trusted_normals(view)
            table[:, ray.NORMAL : ray.NORMAL + 3] = normal[near_object]
            table[:, ray.NORMAL_WEIGHT] = normal_weight * weight[near_object]
        return table

    return np.concatenate(in_threads(of_view, views))


def trusted_normals(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (H, W, 3) in world axes and how far to trust them (H, W), 0 to 1.

    A mean of normals is short where a pixel lies on an edge between surfaces or on the silhouette; the neighbourhood
    is looked at as well, since normals of generated sheets bleed over depth edges.
    """
    from scipy.ndimage import uniform_filter

    length = np.linalg.norm(view.normal, axis=-1)
    unit = view.normal / np.maximum(length, 1e-6)[..., None]
    agreement = np.linalg.norm(uniform_filter(unit, (3, 3, 0)), axis=-1)
    trust = np.clip((np.minimum(length, agreement) - 0.8) / 0.15, 0, 1)
    # Grazing surfaces are a few smeared pixels wide.
    trust *= np.clip((unit[..., 2] - 0.1) / 0.2, 0, 1) * (view.alpha > 0.99)
    return unit @ view_from_world(view.camera), trust
