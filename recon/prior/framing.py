"""How the network's cube [-1, 1]^3 lies in the world, and how pictures project into it. Shared by training and use.

Several posed views: the cube's half side is the reach of the visual hull, a little more. One picture: the scale of
the object is that of its outline, the depth is unknown, so the cube is `SINGLE_VIEW_ROOM` times as wide as the
picture; the camera is assumed to stand at azimuth 0, at `SINGLE_VIEW_DISTANCE` half widths of the picture.
"""

import numpy as np

from zero123pp.cameras import look_at, orbit_position
from zero123pp.types import View

REACH_MARGIN = (1.02, 1.25)
"""Half side of the cube over the reach (largest coordinate) of the object, least and most in training."""

SINGLE_VIEW_ROOM = 1.5
"""Half side of the cube over half the width of the picture at the object's centre."""

SINGLE_VIEW_DISTANCE = 5.0
"""Of the assumed camera from the object's centre, over half the width of the picture there (a lens of 23 degrees)."""


def network_picture(view: View) -> np.ndarray:
    """(S, S, 8) float32: the network's input channels, see `zero123pp.recon.prior.network.INPUT_CHANNELS`."""
    alpha = view.alpha[..., None]
    given = view.normal is not None
    normal = view.normal * alpha if given else np.zeros_like(view.rgb)
    return np.concatenate([view.rgb * alpha, alpha, normal, np.full_like(alpha, given)], -1).astype(np.float32)


def picture_outline(alpha: np.ndarray) -> np.ndarray:
    """Signed distance (S, S) float32 of every pixel from the outline, in half sides of the picture, negative inside.

    At most one side of the picture, so that pictures without an outline have numbers as well.
    """
    from zero123pp.recon.fitting import signed_distance

    alpha = np.ascontiguousarray(alpha, np.float32)
    return np.clip(signed_distance(alpha) * np.float32(2 / len(alpha)), -2, 2).astype(np.float32)


def projection(
    world_from_cam: np.ndarray, intrinsics: np.ndarray, size_px: float, centre: np.ndarray, half_extent: float
) -> np.ndarray:
    """(3, 4) matrix that takes homogeneous points of the cube to (u w, v w, w), u and v in [-1, 1] over the picture.

    Args:
        world_from_cam: (4, 4).
        intrinsics: (fx, fy, cx, cy), px.
        size_px: side of the picture.
        centre: (3,) of the cube, world.
        half_extent: half side of the cube, world.
    """
    fx, fy, cx, cy = intrinsics
    half = size_px / 2
    to_uv = np.array([[fx / half, 0, cx / half - 1], [0, fy / half, cy / half - 1], [0, 0, 1.0]])
    cam_from_world = np.linalg.inv(world_from_cam)[:3]
    world_from_cube = np.eye(4)
    world_from_cube[:3] = np.column_stack([half_extent * np.eye(3), centre])
    matrix = to_uv @ cam_from_world @ world_from_cube
    return matrix / np.linalg.norm(matrix[2, 3])  # the scale is free; depths near 1 are kind to single precision


def single_view_matrix(
    world_from_cam: np.ndarray, intrinsics: np.ndarray, size_px: float, assumed_elevation_deg: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The assumed projection of one picture at azimuth 0, and where its cube truly lies: centre (3,), half side."""
    fx, fy, cx, cy = intrinsics
    distance = float(np.linalg.norm(world_from_cam[:3, 3]))
    at_picture_centre = np.array([(size_px / 2 - cx) / fx * distance, (size_px / 2 - cy) / fy * distance, distance, 1])
    centre = world_from_cam[:3] @ at_picture_centre
    half_width = size_px / 2 / fx * distance
    return assumed_matrix(assumed_elevation_deg), centre, SINGLE_VIEW_ROOM * half_width


def assumed_matrix(elevation_deg: float) -> np.ndarray:
    """`projection` (3, 4) of the camera that is assumed for one picture."""
    half_width = 1 / SINGLE_VIEW_ROOM  # of the picture, in the cube
    distance = SINGLE_VIEW_DISTANCE * half_width
    pose = look_at(orbit_position(0, elevation_deg, distance))
    focal = SINGLE_VIEW_DISTANCE  # half widths of the picture
    return projection(pose, np.array([focal, focal, 1, 1]), 2.0, np.zeros(3), 1.0)
