"""Cameras of training samples: free query views, the ring of a rig's views, and what mirroring makes of them.

The views of all queries of an object lie on one grid of azimuths at both elevations of the rig: twelve queries in steps
of 30 degrees need 24 views instead of 72. As each azimuth is there at both elevations, mirror images of samples need
no further view. (Mirroring a sheet alone would not do: its elevations alternate.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera, project
from zero123pp.rigs import Rig
from zero123pp.types import Camera

QUERIES = 12
"""Of a pass over an object; a query in every step of the ring."""

STEP_DEG = 360 / QUERIES

VIEWS = 2 * QUERIES
"""Of a pass, on both elevations."""


@dataclass(frozen=True)
class Query:
    """A free view of the object."""

    azimuth_deg: float
    elevation_deg: float
    fov_deg: float
    distance: float
    """From the origin, world units."""
    fill: float
    """Longer side of the object's box in the picture over the picture's side."""


def ring_cameras(rig: Rig, first_deg: float, size_px: int) -> list[Camera]:
    """The VIEWS cameras: QUERIES azimuths from ``first_deg`` on at the upper elevation, then at the lower."""
    return [
        orbit_camera(first_deg + STEP_DEG * k, elevation, rig.distance, rig.fov_deg, size_px)
        for elevation in rig.elevations_deg[:2]
        for k in range(QUERIES)
    ]


def sheet_views(rig: Rig, query: int, *, mirrored: bool) -> list[int]:
    """Which of the `ring_cameras` are the views of a query, in sheet order."""
    sign = -1 if mirrored else 1
    return [
        (query + sign * round(azimuth / STEP_DEG)) % QUERIES + QUERIES * (view % 2)
        for view, azimuth in enumerate(rig.azimuths_deg)
    ]


def draw_query(
    azimuth_deg: float, elevations_deg: Sequence[float], fovs_deg: Sequence[float], fills: Sequence[float],
    rng: np.random.Generator,
) -> Query:  # fmt: skip
    """A query at an azimuth; elevation, field of view and fill uniform in their ranges (low, high).

    The distance follows from the field of view, so that the whole object is seen, up to 1.4 times as far.
    """
    elevation, fov = rng.uniform(*elevations_deg), rng.uniform(*fovs_deg)
    nearest = OBJECT_RADIUS / np.sin(np.deg2rad(fov) / 2)
    return Query(azimuth_deg, elevation, fov, nearest * rng.uniform(1, 1.4), rng.uniform(*fills))


def query_camera(query: Query, points: np.ndarray, size_px: int) -> Camera:
    """The query's camera, cropped to the object (its points (N, 3)) as the pipeline crops a cutout."""
    camera = orbit_camera(query.azimuth_deg, query.elevation_deg, query.distance, query.fov_deg, size_px)
    return cropped(camera, points, query.fill)


def cropped(camera: Camera, points: np.ndarray, fill: float) -> Camera:
    """The camera whose square picture shows the box round points (N, 3) in its middle, at ``fill`` of its side."""
    px, _ = project(camera, points)
    low, high = px.min(0), px.max(0)
    scale = fill * camera.width / float((high - low).max())
    centre = (low + high) / 2
    return replace(
        camera,
        fx=camera.fx * scale,
        fy=camera.fy * scale,
        cx=camera.width / 2 + scale * (camera.cx - centre[0]),
        cy=camera.height / 2 + scale * (camera.cy - centre[1]),
    )


def in_query_frame(camera: Camera, azimuth_deg: float, *, mirrored: bool = False) -> Camera:
    """A camera in the frame in which the one at ``azimuth_deg`` has azimuth 0; mirrored left to right if asked for.

    A mirrored camera makes the mirror image of the picture, of the mirror image of the object.
    """
    a = np.deg2rad(azimuth_deg)
    turn = np.eye(4)
    turn[:3, :3] = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    pose = turn @ camera.world_from_cam
    if not mirrored:
        return replace(camera, world_from_cam=pose)
    flip = np.diag([-1.0, 1, 1, 1])
    return replace(camera, world_from_cam=flip @ pose @ flip, cx=camera.width - camera.cx)
