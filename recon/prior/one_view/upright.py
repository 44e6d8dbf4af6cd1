"""From the crop's frustum to the world: upright, and in the sphere of the contract."""

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.recon.prior.one_view.crop import Crop
from zero123pp.types import Camera

_LEAST_HORIZON = 0.15
"""Sine of the angle between up and the line of sight, below which the picture's own up decides where the front is."""


def in_camera(places: np.ndarray, tan_half_fov: float) -> np.ndarray:
    """Points (V, 3) in the camera's axes about the object's plane, half sides of the crop, from (u, v, depth)."""
    widening = (1 + places[:, 2] * tan_half_fov)[:, None]
    return np.concatenate([places[:, :2] * widening, places[:, 2:]], 1)


def world_axes(up: np.ndarray) -> np.ndarray:
    """(3, 3) rotation from the camera's axes to the world's: +Y is ``up`` (3,), +Z is towards the camera."""
    up = up / np.linalg.norm(up)
    for towards in (np.array([0, 0, -1.0]), np.array([0, 1.0, 0])):
        forward = towards - (towards @ up) * up
        if np.linalg.norm(forward) > _LEAST_HORIZON:
            break
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(up, forward), up, forward])


def up_vector(elevation_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """(3,) in the camera's axes, of an object that is looked down on from this elevation."""
    e, r = np.deg2rad(elevation_deg), np.deg2rad(roll_deg)
    return np.array([np.cos(e) * np.sin(r), -np.cos(e) * np.cos(r), -np.sin(e)])


def elevation_deg(up: np.ndarray) -> float:
    """Of the camera over an object with this up vector (3,)."""
    return float(np.rad2deg(np.arcsin(np.clip(-up[2] / np.linalg.norm(up), -1, 1))))


def placed(
    points: np.ndarray, up: np.ndarray, crop: Crop, tan_half_fov: float, size_px: int
) -> tuple[np.ndarray, Camera]:
    """The points in the world frame, and the camera of the cutout.

    The box of the points is in the middle of the sphere, the farthest point on it: that is what the frame means.

    Args:
        points: (V, 3) of `in_camera`.
        up: (3,) in the camera's axes.
        crop: where it lies in the cutout.
        tan_half_fov: of the crop.
        size_px: side of the cutout.
    """
    rotation = world_axes(up)
    turned = points @ rotation.T
    centre = (turned.min(0) + turned.max(0)) / 2
    scale = OBJECT_RADIUS / np.linalg.norm(turned - centre, axis=1).max()
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = scale * (rotation @ [0, 0, -1 / tan_half_fov] - centre)
    focal = crop.side / 2 / tan_half_fov
    middle = (crop.left + crop.side / 2, crop.top + crop.side / 2)
    return scale * (turned - centre), Camera(pose, focal, focal, *middle, size_px, size_px)
