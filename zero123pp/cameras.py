"""Frames, units and cameras: the one place where the conventions of this project are stated.

World frame
    glTF's: right-handed, +Y up, lengths without unit. The object lies in a sphere of radius
    ``OBJECT_RADIUS`` = 0.5 round the origin and faces +Z, where the camera of the input picture stands.
Orbit
    The camera of (azimuth a, elevation e, distance D) stands at ``D (cos e sin a, sin e, cos e cos a)`` and
    looks at the origin with +Y up. Azimuth grows counter-clockwise seen from above.
Camera frame
    OpenCV's: x right, y down, z forward. ``world_from_cam`` maps camera coordinates to world coordinates.
Pixels
    x to the right, y down, from the top left *corner* of the picture; the centre of pixel (column i, row j) is
    (i + 0.5, j + 0.5). The centre of a picture is (width / 2, height / 2).
Normals
    View-space normals in records use the axes of Zero123++'s normal sheets: x right, y up, z towards the viewer,
    so ``n_view = diag(1, -1, -1) R_cam_from_world n_world``.
Colours
    sRGB in every record, in [0, 1] as float32 or 0..255 as uint8; linear only inside shading.
"""

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.types import Camera

OBJECT_RADIUS = 0.5
"""Radius of the sphere that holds the object (zero123plus issue 73)."""

WORLD_UP = np.array([0.0, 1.0, 0.0])

VIEW_FROM_CAM_AXES = np.diag([1.0, -1.0, -1.0])
"""OpenCV camera axes to the axes of view-space normals (x right, y up, z towards the viewer)."""


def orbit_position(azimuth_deg: float, elevation_deg: float, distance: float) -> np.ndarray:
    """Position (3,) of the orbit camera, world frame."""
    a, e = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    return distance * np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def look_at(position: np.ndarray, target: np.ndarray = np.zeros(3), up: np.ndarray = WORLD_UP) -> np.ndarray:
    """``world_from_cam`` (4, 4) of a camera at ``position`` that looks at ``target`` (world frame).

    Raises BadInput when the viewing direction is parallel to ``up`` or of zero length.
    """
    forward = np.asarray(target, float) - np.asarray(position, float)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-9:
        raise BadInput(f"camera at {position} looking at {target} is parallel to up {up}; choose another up vector")
    forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
    world_from_cam = np.eye(4)
    world_from_cam[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    world_from_cam[:3, 3] = position
    return world_from_cam


def focal_px(fov_deg: float, size_px: float) -> float:
    """Focal length in pixels of a pinhole whose ``size_px`` pixels span ``fov_deg`` degrees."""
    return 0.5 * size_px / np.tan(np.deg2rad(fov_deg) / 2)


def orbit_camera(azimuth_deg: float, elevation_deg: float, distance: float, fov_deg: float, size_px: int) -> Camera:
    """Square pinhole camera on the orbit, looking at the origin."""
    f = focal_px(fov_deg, size_px)
    pose = look_at(orbit_position(azimuth_deg, elevation_deg, distance))
    return Camera(pose, f, f, size_px / 2, size_px / 2, size_px, size_px)


def about_y(azimuth_deg: float) -> np.ndarray:
    """(3, 3) rotation that carries what stands at azimuth 0 to this azimuth."""
    c, s = np.cos(np.deg2rad(azimuth_deg)), np.sin(np.deg2rad(azimuth_deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def project(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World points (..., 3) to pixels (..., 2) and depth along the optical axis (...,).

    Depth is the distance to the camera plane; points with depth <= 0 lie behind the camera and their pixels mean
    nothing.
    """
    rotation, centre = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    in_cam = (np.asarray(points, float) - centre) @ rotation
    depth = in_cam[..., 2]
    safe = np.where(depth == 0, 1.0, depth)
    px = np.stack([camera.fx * in_cam[..., 0] / safe + camera.cx, camera.fy * in_cam[..., 1] / safe + camera.cy], -1)
    return px, depth


def unproject(camera: Camera, px: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) at depth (...,) along the optical axis to world points (..., 3). Inverse of `project`."""
    px, depth = np.asarray(px, float), np.asarray(depth, float)
    in_cam = np.stack(
        [(px[..., 0] - camera.cx) / camera.fx * depth, (px[..., 1] - camera.cy) / camera.fy * depth, depth], -1
    )
    return in_cam @ camera.world_from_cam[:3, :3].T + camera.world_from_cam[:3, 3]


def pixel_centres(camera: Camera) -> np.ndarray:
    """Centres (height, width, 2) of all pixels, in pixels."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return np.stack([x, y], -1)


def pixel_rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Rays through all pixel centres: origin (3,) and unit directions (height, width, 3), world frame."""
    through = unproject(camera, pixel_centres(camera), np.ones((camera.height, camera.width)))
    origin = np.asarray(camera.world_from_cam[:3, 3], float)
    directions = through - origin
    return origin, directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def view_from_world(camera: Camera) -> np.ndarray:
    """Rotation (3, 3) that takes world normals to the view-space normals of records (see the module's header)."""
    return VIEW_FROM_CAM_AXES @ np.asarray(camera.world_from_cam[:3, :3], float).T


def resized(camera: Camera, width: int, height: int) -> Camera:
    """The same camera for the picture resampled to ``width`` x ``height`` pixels."""
    sx, sy = width / camera.width, height / camera.height
    return Camera(camera.world_from_cam, camera.fx * sx, camera.fy * sy, camera.cx * sx, camera.cy * sy, width, height)
