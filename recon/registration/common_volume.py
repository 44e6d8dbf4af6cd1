"""Where the object is and how large, from its silhouettes alone: the ball round their common volume.

For views in any frame and unit. The fit itself looks at a sphere round the origin; this finds the similarity that
brings an object there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.fitting import Silhouettes
from zero123pp.types import Camera, View

_RESOLUTION = 48
_ROOM = 1.1
"""Half side of the cube that is looked at, over the radius found so far."""
_ROUNDS = 12
_OUTLIER_SHARE = 16
"""One view in so many may see a point outside its silhouette: masks of captures have mistakes."""


def moved(camera: Camera, centre: np.ndarray, scale: float, rotation: np.ndarray | None = None) -> Camera:
    """The camera in the frame x' = scale rotation (x - centre); what it sees does not change."""
    rotation = np.eye(3) if rotation is None else rotation
    pose = np.eye(4)
    pose[:3, :3] = rotation @ camera.world_from_cam[:3, :3]
    pose[:3, 3] = scale * rotation @ (camera.world_from_cam[:3, 3] - centre)
    return replace(camera, world_from_cam=pose)


def common_volume(
    views: Sequence[View], centre: np.ndarray, radius: float, box: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Centre (3,) of the box round the common volume of the silhouettes, and the radius round it that holds all of it.

    Args:
        views: small pictures suffice: a hundred pixels across.
        centre: a point in or near the object.
        radius: a guess, in the units of the views; the result does not depend on it.
        box: (2, 3) lowest and highest corner of a box outside of which nothing is object.

    Raises:
        StageFailed: there is no common volume, or it goes on without end (views from one side only).
    """
    centre = np.asarray(centre, float)
    views = [_widened(view) for view in views]
    axis = np.linspace(-_ROOM, _ROOM, _RESOLUTION)
    spacing = axis[1] - axis[0]
    for _ in range(_ROUNDS):
        inside = _inside(views, centre, radius, box, axis)
        if not inside.size:
            raise StageFailed("the silhouettes have no common volume; do the cameras and pictures belong together?")
        nodes = axis[inside]  # (n, 3)
        at_border = (inside == 0).any() or (inside == _RESOLUTION - 1).any()
        middle = (nodes.min(0) + nodes.max(0)) / 2
        # Half a diagonal of a cell: the surface lies between the last node inside and the next one.
        found = np.linalg.norm(nodes - middle, axis=1).max() + spacing * np.sqrt(3) / 2
        centre = centre + radius * middle
        if at_border:
            radius = 2 * radius
            continue
        settled = abs(found - 1) < 0.1
        radius = radius * found
        if settled:
            return centre, float(radius)
    raise StageFailed(
        "the silhouettes bound no volume: the views show the object from one side only; add views from other sides"
    )


def _widened(view: View) -> View:
    """The view with half its size of background more on every side that the silhouette does not touch.

    An object that stops short of a picture's side does not go on beyond it. The hull does not know that: it takes
    what lies outside a picture for unseen.
    """
    height, width = view.alpha.shape
    touched = [side.max() >= 0.5 for side in (view.alpha[0], view.alpha[-1], view.alpha[:, 0], view.alpha[:, -1])]
    top, bottom, left, right = (0 if t else n // 2 for t, n in zip(touched, (height, height, width, width)))
    alpha = np.pad(view.alpha, ((top, bottom), (left, right)))
    camera = replace(
        view.camera, cx=view.camera.cx + left, cy=view.camera.cy + top, width=alpha.shape[1], height=alpha.shape[0]
    )
    return View(np.zeros((*alpha.shape, 3), np.float32), alpha, camera)


def _inside(
    views: Sequence[View], centre: np.ndarray, radius: float, box: np.ndarray | None, axis: np.ndarray
) -> np.ndarray:
    """Indices (n, 3) of the nodes of a cube of half side `_ROOM` radius round the centre that are in the volume."""
    local = [replace(view, camera=moved(view.camera, centre, 1 / radius)) for view in views]
    # Any radius beyond the cube switches off the hull's own limit.
    hull = Silhouettes(local).grid(len(axis), axis[-1], radius=4 * axis[-1], outlier_views=len(views) // _OUTLIER_SHARE)
    inside = np.stack(np.nonzero(hull < 0), axis=1)
    if box is None:
        return inside
    points = centre + radius * axis[inside]
    return inside[((points >= box[0]) & (points <= box[1])).all(1)]
