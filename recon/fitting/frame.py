"""Where the object is: the cube that is fitted, how fine its grids are, and the visual hull in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.errors import StageFailed
from zero123pp.recon.fitting.config import FitConfig
from zero123pp.types import View

if TYPE_CHECKING:
    from zero123pp.recon.fitting.hull import Silhouettes

_RESOLUTION = 64
"""Nodes along an axis of the grid on which the hull is first looked at."""
_TYPICAL_SURFACE = 2.5
"""Surface of the visual hull over the square of its largest extent, above which levels are not refined."""


@dataclass(frozen=True)
class Frame:
    """The cube [-half_extent, half_extent]^3 that holds the object."""

    silhouettes: "Silhouettes"
    radius: float
    """Of the sphere round the origin that holds the object, world units."""
    outlier_views: int
    """See `FitConfig.hull_outlier_views`."""
    half_extent: float
    """World units."""
    finer: float
    """Factor by which levels are refined, see `FitConfig.refinement`."""

    def voxel(self, resolution: int) -> float:
        """Distance between neighbours of ``resolution`` nodes along an axis, world units."""
        return 2 * self.half_extent / (resolution - 1)

    def hull(self, resolution: int) -> np.ndarray:
        """Signed distances (n, n, n) float32 of the visual hull at ``resolution``^3 nodes of the cube, world units."""
        return self.silhouettes.grid(resolution, self.half_extent, radius=self.radius, outlier_views=self.outlier_views)


def find_frame(silhouettes: "Silhouettes", views: Sequence[View], config: FitConfig) -> Frame:
    """The smallest cube round the origin that holds the visual hull of the views, and a voxel and a half more.

    A compact object then gets more voxels than one that reaches the ends of its sphere.

    Raises:
        StageFailed: the silhouettes have no common volume.
    """
    radius = config.radius or shown_radius(views)
    hull = silhouettes.grid(_RESOLUTION, radius, radius=radius, outlier_views=config.hull_outlier_views)
    spacing = 2 * radius / (_RESOLUTION - 1)
    inside = np.stack(np.nonzero(hull < spacing / 2))
    if not inside.size:
        raise StageFailed(
            "the silhouettes of the views have no common volume; check that cameras and pictures belong together"
        )
    reach = np.abs(inside * spacing - radius).max()
    # Nodes within a voxel of the hull, per face of a grid that just holds it: 6 for a box that fills its cube, 2 for a
    # thin plate.
    surface = np.count_nonzero(np.abs(hull) < spacing) / 2 / (reach / spacing * 2) ** 2
    finer = float(np.clip(np.sqrt(_TYPICAL_SURFACE / surface), 1, config.refinement))
    half_extent = float(reach * (1 + 3 / (config.levels[-1] * finer)))
    return Frame(silhouettes, radius, config.hull_outlier_views, half_extent, finer)


def shown_radius(views: Sequence[View]) -> float:
    """Radius of the sphere round the origin in which an object is looked for, world units.

    What the views show across, at the origin's distance (the median over the views), and 6 % more: 0.53 for the rig
    v1.2, whose frame promises an object of radius 0.5, and 0.62 for v1.1, where its size follows the input picture.
    Never less than the frame promises, and at most 1.3 times that: pictures with much room round the object say little.
    """
    shown = [
        np.linalg.norm(view.camera.world_from_cam[:3, 3])
        * min(view.camera.width / view.camera.fx, view.camera.height / view.camera.fy)
        / 2
        for view in views
    ]
    return float(np.clip(1.06 * np.median(shown), OBJECT_RADIUS, 1.3 * OBJECT_RADIUS))
