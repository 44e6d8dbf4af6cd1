"""The visual hull as a signed distance grid: what silhouettes alone say about a shape.

The distance of a point from the hull is, to first order, the largest over the views of its distance in the picture
from the silhouette's outline, brought to the point's depth: d_px z / f. It is exact on the hull's surface, where it
matters, and never says that a point is deeper inside than it is.

What projects outside a picture is unknown to that view, not background: objects may touch or leave a picture's border.
Only where the picture's border is background farther from the silhouette than the point is from the picture, the point
counts as background too: a part that grows out of the silhouette cannot have come so far.
"""

from collections.abc import Sequence

import numba
import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.fitting.outline import distance_once
from zero123pp.types import View

MIN_WITNESSES = 0.5
"""Share of the views that have to see a point before it can be inside."""


class Silhouettes:
    """The signed distances to the outlines of all views, ready to be asked for hulls of any resolution."""

    def __init__(self, views: Sequence[View], workers: "object | None" = None) -> None:
        """Measure every view's silhouette.

        Args:
            views: any number of posed views with pinhole cameras.
            workers: an executor whose ``map`` is used for the views; None works through them one by one.

        Raises:
            StageFailed: no view shows any object.
        """
        empty = [index for index, view in enumerate(views) if not (view.alpha >= 0.5).any()]
        if empty:
            raise StageFailed(
                f"view {', '.join(map(str, empty))} of {len(views)} shows no object (alpha below 0.5 everywhere); "
                f"remove such views or give pictures with a silhouette"
            )
        run = map if workers is None else workers.map
        distances = list(run(distance_once, [view.alpha for view in views]))
        self._distances = np.concatenate([distance.ravel() for distance in distances])
        self._pictures = np.array([(d.shape[0], d.shape[1], d.size) for d in distances])
        self._pictures[:, 2] = np.cumsum(self._pictures[:, 2]) - self._pictures[:, 2]  # where each one begins
        self._world_to_pixel = np.stack([_world_to_pixel(view) for view in views])  # (V, 3, 4)
        self._focal = np.array([np.sqrt(view.camera.fx * view.camera.fy) for view in views])
        self._run = run

    def grid(self, resolution: int, half_extent: float, *, radius: float, outlier_views: int = 0) -> np.ndarray:
        """The hull's signed distance (N, N, N) float32 at grid nodes, world units, negative inside.

        Args:
            resolution: nodes along an axis, N.
            half_extent: the nodes span [-half_extent, half_extent]^3.
            radius: of the sphere round the origin that holds the object, whatever the views say.
            outlier_views: how many views may see a point outside their silhouette while it still counts as inside.
        """
        axis = np.linspace(-half_extent, half_extent, resolution)
        planes = self._run(
            lambda x: _hull_plane(
                x, axis, self._world_to_pixel, self._focal, self._pictures, self._distances, outlier_views, radius
            ),
            axis,
        )
        return np.stack(list(planes))


def _world_to_pixel(view: View) -> np.ndarray:
    """(3, 4) matrix that takes homogeneous world points to (x z, y z, z), x and y in px from the top left corner."""
    camera = view.camera
    intrinsics = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    return intrinsics @ np.linalg.inv(camera.world_from_cam)[:3]


@numba.njit(cache=True, nogil=True)
def _hull_plane(x, axis, world_to_pixel, focal, pictures, distances, outlier_views, radius):
    """One plane (N, N) of `Silhouettes.grid` at world coordinate ``x``."""
    n, views = len(axis), len(world_to_pixel)
    needed = max(MIN_WITNESSES * views, 1.0)
    plane = np.empty((n, n), np.float32)
    largest = np.empty(outlier_views + 1, np.float64)  # in falling order
    for j in range(n):
        for k in range(n):
            sightings = 0
            largest[:] = -np.inf
            for view in range(views):
                m = world_to_pixel[view]
                px = m[0, 0] * x + m[0, 1] * axis[j] + m[0, 2] * axis[k] + m[0, 3]
                py = m[1, 0] * x + m[1, 1] * axis[j] + m[1, 2] * axis[k] + m[1, 3]
                depth = m[2, 0] * x + m[2, 1] * axis[j] + m[2, 2] * axis[k] + m[2, 3]
                if depth <= 0:
                    continue
                height, width, start = pictures[view]
                px, py = px / depth, py / depth
                dx, dy = px - min(max(px, 0.0), float(width)), py - min(max(py, 0.0), float(height))
                picture = distances[start : start + height * width].reshape((height, width))
                value = _bilinear(picture, px - 0.5, py - 0.5)
                if dx != 0 or dy != 0:
                    value -= np.sqrt(dx * dx + dy * dy)
                    if value <= 0:
                        continue
                sightings += 1
                value *= depth / focal[view]
                for place in range(outlier_views + 1):
                    if value > largest[place]:
                        value, largest[place] = largest[place], value
            beyond = np.sqrt(x * x + axis[j] * axis[j] + axis[k] * axis[k]) - radius
            # A place that too few views saw is outside, but how far is not known: one node, so that a surface that
            # runs into it ends smoothly.
            found = min(largest[outlier_views], radius) if sightings >= needed else axis[1] - axis[0]
            plane[j, k] = max(found, beyond)
    return plane


@numba.njit(cache=True, nogil=True, inline="always")
def _bilinear(values, x, y):
    """Value at (x, y) in units of indices, clamped to the array."""
    height, width = values.shape
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    i, j = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    u, v = x - i, y - j
    i1, j1 = min(i + 1, width - 1), min(j + 1, height - 1)
    return (1 - v) * ((1 - u) * values[j, i] + u * values[j, i1]) + v * ((1 - u) * values[j1, i] + u * values[j1, i1])
