"""Posed views of a turnaround: its pictures, seen without perspective, and guesses of what stands between them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, look_at, orbit_position, project
from zero123pp.pipelines.inputs.posed_cameras import pinhole
from zero123pp.pipelines.inputs.transforms_json import Lens
from zero123pp.pipelines.inputs.turnaround.agreed import agreed
from zero123pp.pipelines.inputs.turnaround.figures import cut_figures
from zero123pp.pipelines.inputs.turnaround.sides import AZIMUTHS_DEG, TURNAROUNDS
from zero123pp.pipelines.inputs.turnaround.solid import solid_of
from zero123pp.types import Camera, Mesh, MultiView, View

_FILL = 0.97
"""Radius of the object over that of its sphere."""
_MARGIN = 1.06
"""Side of a picture over the sphere's diameter."""
_BETWEEN_DEG = ((45, 0), (135, 0), (225, 0), (315, 0))
"""Azimuths and elevations of guessed views beside two outlines at a right angle."""
_ASIDE_DEG = ((90, 0), (270, 0), *_BETWEEN_DEG)
"""The same where the sides were not drawn."""
_GUESSED = 0.3
"""Trust in what is guessed over that in what was drawn."""


def turnaround_views(pictures: Sequence[np.ndarray], sides: Sequence[str], rig: str, names: Sequence[str]) -> MultiView:
    """The views of a turnaround.

    Args:
        pictures: uint8, one of all figures in the order of the rig, or one for each side.
        sides: of the pictures, where there are several; for one sheet those of the rig.
        rig: a key of `TURNAROUNDS`.
        names: of the pictures, for messages.

    Raises:
        BadInput: figures cannot be told apart, or are missing.
    """
    if len(pictures) == 1:
        sides = TURNAROUNDS[rig]
        figures = cut_figures(pictures[0], len(sides), names[0])
    else:
        figures = [cut_figures(picture, 1, name)[0] for picture, name in zip(pictures, names)]
    shown = agreed(dict(zip(sides, figures)))
    per_px, solid = _sized({side: figure[..., 3] for side, figure in shown.items()})
    size = int(np.ceil(2 * _MARGIN * OBJECT_RADIUS / per_px))
    drawn = [_view(figure, AZIMUTHS_DEG[side], size, per_px) for side, figure in shown.items()]
    aside = _BETWEEN_DEG if len(shown) > 2 else _ASIDE_DEG
    return MultiView((*drawn, *_guessed(solid, drawn, aside, size, per_px)), source=rig)


def _sized(alphas: Mapping[str, np.ndarray]) -> tuple[float, Mesh]:
    """World units of a pixel at which the solid fills its sphere, and that solid."""
    first = OBJECT_RADIUS / np.linalg.norm([max(alpha.shape) for alpha in alphas.values()])
    reach = np.linalg.norm(solid_of(alphas, first).vertices, axis=1).max()
    per_px = first * _FILL * OBJECT_RADIUS / float(reach)
    return per_px, solid_of(alphas, per_px)


def camera_at(azimuth_deg: float, elevation_deg: float, size: int, per_px: float) -> Camera:
    """An orthographic camera, as a very long lens."""
    pose = look_at(orbit_position(azimuth_deg, elevation_deg, 1.0))
    lens = Lens((1 / per_px, 1 / per_px), (size / 2, size / 2), orthographic=True)
    return pinhole(pose, lens, (size, size), np.zeros(3), OBJECT_RADIUS)


def _view(figure: np.ndarray, azimuth_deg: float, size: int, per_px: float) -> View:
    """A figure in the middle of its picture."""
    height, width = figure.shape[:2]
    canvas = np.zeros((size, size, 4), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = figure
    camera = camera_at(azimuth_deg, 0, size, per_px)
    # The figure's own middle is the axis, to the half pixel.
    camera = replace(camera, cx=left + width / 2, cy=top + height / 2)
    return View(canvas[..., :3], canvas[..., 3], camera)


def _guessed(
    solid: Mesh, drawn: Sequence[View], where: Sequence[tuple[float, float]], size: int, per_px: float
) -> list[View]:
    """The solid as other cameras see it, in the colours of the drawn views."""
    from zero123pp.recon.render import render

    painted = _painted(solid, drawn)
    views = [render(painted, camera_at(azimuth, elevation, size, per_px)) for azimuth, elevation in where]
    return [replace(view, depth=None, normal=None, confidence=_GUESSED) for view in views]


def _painted(solid: Mesh, drawn: Sequence[View]) -> Mesh:
    """The solid with the mean colour of the views at each vertex, those most that look at it head-on."""
    from zero123pp.images import to_uint8
    from zero123pp.recon.meshing import smooth_normals
    from zero123pp.recon.ops import bilinear, premultiplied

    normals = smooth_normals(solid)
    total = np.full((len(normals), 4), 1e-6)
    for view in drawn:
        px, _ = project(view.camera, solid.vertices)
        facing = np.maximum(normals @ -view.camera.world_from_cam[:3, 2], 0.02)
        total += facing[:, None] ** 2 * bilinear(premultiplied(view), px)
    return replace(solid, colors=to_uint8(total[:, :3] / total[:, 3:]))
