"""Normals that the fit gives to itself: those of its surface, smoothed within what the pictures do not contradict.

Colours say little of depth on flats, so that the steps leave waves and bulges there. Yet over a patch of a picture the
mean slope of the inverse depth depends on the patch's rim alone (Stokes), and on a plane that slope is the same
everywhere: where the rim of a face is right, the mean slope within it is the face's, however its inside bulges. So
slopes are averaged within each view (`zero123pp.recon.fitting.seen`); where views see the same place, they have to
agree, and where a picture is full of detail its colours know better. All of it rests on pictures that show where a
surface turns, as light does; those of a plain object without light show nothing, which is noticed.
`zero123pp.recon.fitting.flattening` moves the surface to where these normals say that it is.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from zero123pp.recon.fitting.seen import Picture, SeenSurface, transformed
from zero123pp.recon.ops.field import surface
from zero123pp.types import View

_SHOWN = 0.1
"""Median change of colour where the surface turns, as a share of the object's contrast, below which normals are trusted
in proportion. Training objects: .09 to 1.8 under light; without light .02 for a fox and .03 for a cube of plain
patches, .5 to 1.9 for a block of wood and an apple."""
_AGREE_DEG = 15.0
"""Angle between the normals of views up to which they are trusted, to nothing at twice of it."""
_ALONE = 0.3
"""Trust in what one view sees alone."""
_COMPARED = 5
"""Views that a view is compared with, those that look from nearest by."""
_SAME_PLACE = 1.5
"""Voxels between two surfaces that are the same."""


@dataclass(frozen=True)
class AgreedNormals:
    """Normals of what a picture (H, W) shows, on which the views agree."""

    normals: np.ndarray
    """(H, W, 3) unit, in world axes."""
    agreement: np.ndarray
    """(H, W) how far the views agree, 0 to 1; 1 where one view sees the place alone."""
    is_alone: np.ndarray
    """(H, W) bool: no other view sees the place."""
    shown: np.ndarray
    """(H, W) how well the picture shows the place, 0 to 1."""


@dataclass(frozen=True)
class LevelPictures:
    """What all looks at a surface of a level have in common."""

    pictures: Sequence[Picture]
    """Those that show something."""
    others: Sequence[Sequence[int]]
    """Of each picture those that it is compared with."""
    hull: np.ndarray
    """(n, n, n) signed distances of the visual hull, voxels."""
    contrast: float
    """Of the object, sRGB."""
    per_voxel: float
    """Voxels to a world unit."""
    pool: Executor
    """Runs the kernels."""


class SmoothNormals:
    """Asks a surface for its normals, smoothed within the pictures of a level."""

    def __init__(
        self, views: Sequence[View], table: np.ndarray, pixels: np.ndarray, half_extent: float, resolution: int,
        contrast: float, hull: np.ndarray, pool: Executor,
    ) -> None:  # fmt: skip
        """Set up.

        Args:
            views: of the level.
            table: (R, RAY_SIZE) its rays.
            pixels: (R,) whose they are, counted through all pixels of all views.
            half_extent: of the grid, world units.
            resolution: nodes along an axis of the grid.
            contrast: of the object, sRGB.
            hull: (n, n, n) signed distances of the visual hull, voxels.
            pool: runs the kernels.
        """
        sizes = np.cumsum([0, *(view.alpha.size for view in views)])
        ends = np.searchsorted(pixels, sizes)
        self._table = table
        looked_at = [index for index in range(len(views)) if ends[index] < ends[index + 1]]
        views = [views[index] for index in looked_at]
        self._rows = [slice(ends[index], ends[index + 1]) for index in looked_at]
        per_voxel = (resolution - 1) / (2 * half_extent)
        pictures = [
            Picture(view, pixels[rows] - size, per_voxel, half_extent, contrast)
            for view, rows, size in zip(views, self._rows, sizes[looked_at])
        ]
        towards = np.stack([view.camera.world_from_cam[:3, 2] for view in views])
        nearest = np.argsort(-(towards @ towards.T), axis=1, kind="stable")
        others = [[other for other in row if other != own][:_COMPARED] for own, row in enumerate(nearest)]
        self._level = LevelPictures(pictures, others, hull, contrast, per_voxel, pool)

    def __call__(self, sdf: np.ndarray) -> "Look":
        """What the views see of the surface of ``sdf`` (n, n, n), signed distances in voxels."""
        sdf, level = np.array(sdf, np.float32), self._level

        def seen(picture: Picture, rows: slice) -> SeenSurface:
            return picture.seen(surface.first_crossings(sdf, self._table[rows]), self._table[rows])

        found = list(level.pool.map(seen, level.pictures, self._rows))
        changes = np.concatenate([each.changes for each in found])
        shown = min(float(np.median(changes)) / _SHOWN, 1.0) if len(changes) else 1.0

        def agreed(own: int) -> AgreedNormals:
            picture = level.pictures[own]
            total, worst = found[own].smoothed.copy(), np.full(found[own].depth.shape, 2, np.float32)
            for other in level.others[own]:
                _compare(
                    found[own].depth, found[own].smoothed, picture.cam_to_world, found[other].depth,
                    found[other].smoothed, level.pictures[other].world_to_cam, _SAME_PLACE, total, worst,
                )  # fmt: skip
            angle = np.degrees(np.arccos(np.clip(worst, -1, 1)))
            agreement = np.where(worst > 1.5, 1, np.clip(2 - angle / _AGREE_DEG, 0, 1))
            faces = shown * np.clip((picture.facing(total) - 0.1) / 0.2, 0, 1)
            total /= np.maximum(np.linalg.norm(total, axis=-1, keepdims=True), 1e-9)
            return AgreedNormals(total, agreement, worst > 1.5, faces)

        return Look(sdf, level, found, list(level.pool.map(agreed, range(len(found)))))


@dataclass(frozen=True)
class Look:
    """What all views of a level see of one surface."""

    sdf: np.ndarray
    """(n, n, n) signed distances, voxels."""
    level: LevelPictures
    seen: Sequence[SeenSurface]
    """By each picture of the level."""
    agreed: Sequence[AgreedNormals]

    @cached_property
    def _carving(self) -> np.ndarray:
        """(n, n, n) what was carved off the visual hull, voxels."""
        return self.sdf - self.level.hull

    def carved(self, picture: Picture, depth: np.ndarray) -> np.ndarray:
        """What was carved off the visual hull, voxels, at a picture's ``depth`` (H, W); 0 where that is 0."""
        from scipy.ndimage import map_coordinates

        height, width = depth.shape
        x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
        places = picture.cam_to_world @ np.stack([depth * x, depth * y, depth, np.ones_like(depth)]).reshape(4, -1)
        values = map_coordinates(self._carving, places, order=1, mode="nearest")
        return values.reshape(depth.shape) * (depth > 0)

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals (R, 3) of the level's rays in world axes, and how far to trust them (R,), 0 to 1."""

        def of_rays(picture: Picture, seen: SeenSurface, agreed: AgreedNormals) -> tuple[np.ndarray, np.ndarray]:
            trust = np.where(agreed.is_alone, _ALONE, agreed.agreement)
            trust *= agreed.shown
            trust *= picture.plain * (seen.depth > 0)
            at = picture.pixels
            return agreed.normals.reshape(-1, 3)[at], trust.reshape(-1)[at].astype(np.float32)

        result = list(map(of_rays, self.level.pictures, self.seen, self.agreed))
        return np.concatenate([normal for normal, _ in result]), np.concatenate([trust for _, trust in result])


@numba.njit(cache=True, nogil=True)
def _compare(depth, normal, to_world, other_depth, other_normal, to_other, tolerance, total, worst):
    """Add to ``total`` (H, W, 3) what another view says of the same places, and lower ``worst`` (H, W) to its cosine.

    ``to_world`` (3, 4) takes (x z, y z, z, 1), pixels and depth, to the world, ``to_other`` (3, 4) is the other view's
    way back; all in voxels.
    """
    height, width = other_depth.shape
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            z = depth[i, j]
            if z <= 0:
                continue
            a, b = z * (j + 0.5), z * (i + 0.5)
            x, y, w = transformed(to_world, a, b, z)
            px, py, far = transformed(to_other, x, y, w)
            if far <= 0:
                continue
            px, py = px / far, py / far
            if not (0 <= px < width and 0 <= py < height):
                continue
            column, row = int(px), int(py)
            if abs(other_depth[row, column] - far) > tolerance:
                continue
            n0, n1, n2 = other_normal[row, column, 0], other_normal[row, column, 1], other_normal[row, column, 2]
            faces = -(n0 * to_other[2, 0] + n1 * to_other[2, 1] + n2 * to_other[2, 2])
            if faces < 0.2:  # at a slant, or unknown
                continue
            share = np.float32(faces * faces)
            total[i, j, 0] += share * n0
            total[i, j, 1] += share * n1
            total[i, j, 2] += share * n2
            cosine = normal[i, j, 0] * n0 + normal[i, j, 1] * n1 + normal[i, j, 2] * n2
            worst[i, j] = min(worst[i, j], cosine)
