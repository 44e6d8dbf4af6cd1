"""A source without learning: the outline inflated, the picture painted on its front, a guess on its back.

The baseline that the learned `preview` is compared with.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, focal_px, orbit_camera
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.cutout import extended, fringe_px
from zero123pp.pipelines.models.back_side import BackConfig, back_side
from zero123pp.pipelines.models.guessed import Guess, GuessedModel
from zero123pp.recon.meshing import smooth_normals
from zero123pp.recon.prior import InflateConfig, Inflated, behind_picture, inflate
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, Mesh, TexturedMesh

_FILL = 0.95
"""Radius of the object over `OBJECT_RADIUS`; above sin(15 deg) / tan(15 deg) = 0.966 it can leave a view's frame."""


@dataclass(frozen=True)
class InflatedConfig:
    """How the shape and the back are guessed."""

    shape: InflateConfig = field(default_factory=InflateConfig)
    """See `InflateConfig`."""
    back: BackConfig = field(default_factory=BackConfig)
    """See `BackConfig`."""


class InflatedModel(GuessedModel):
    """A source without weights and without chance."""

    note = (
        "The shape and the back are guessed from the outline of the picture; "
        "views from the official Zero123++ weights give a better object."
    )

    def __init__(self, config: InflatedConfig = InflatedConfig(), name: str = "inflated") -> None:
        self.config, self.name = config, name

    def guess(self, cutout: Cutout) -> Guess:
        """The outline inflated, its two halves painted.

        The front camera stands at azimuth 0, elevation 0 on the rig's ring, with the rig's field of view cut down to
        the frame of the cutout. Raises BadInput when the cutout is empty.
        """
        rgba = to_float(cutout.rgba)
        solid = inflate(rgba[..., 3], self.config.shape)
        front, parts = _paint(solid, rgba, fringe_px(cutout), self.config)
        return Guess(parts, front, parts[0].base_color)


def _paint(
    solid: Inflated, rgba: np.ndarray, fringe: float, config: InflatedConfig
) -> tuple[Camera, list[TexturedMesh]]:
    """The front camera of the picture, and the solid before it as a front and a back half with their pictures."""
    rig, size = get_rig(InflatedModel.rig), len(rgba)
    flat = np.asarray(solid.mesh.vertices, np.float64)
    centre = (flat[:, :2].min(0) + flat[:, :2].max(0)) / 2
    centred = flat - [*centre, 0]
    scale = _fitting_scale(centred, rig.distance)
    # The rig's camera sees one world unit on the plane through the origin; the picture's frame is `scale` of that.
    camera = orbit_camera(0, 0, rig.distance, rig.fov_deg, size)
    focal = focal_px(rig.fov_deg, size / scale)
    camera = replace(camera, fx=focal, fy=focal, cx=(0.5 + centre[0]) * size, cy=(0.5 - centre[1]) * size)

    mesh = Mesh(behind_picture(centred, rig.distance, scale), solid.mesh.faces)
    front = extended(rgba[..., :3], rgba[..., 3], fringe)
    back = back_side(front, rgba[..., 3], config.back)
    uvs, normals, half = flat[:, :2] + 0.5, smooth_normals(mesh), len(mesh.faces) // 2
    halves = ((mesh.faces[:half], to_uint8(front)), (mesh.faces[half:], to_uint8(back)))
    return camera, [_part(mesh.vertices, faces, uvs, picture, normals) for faces, picture in halves]


def _fitting_scale(vertices: np.ndarray, distance: float) -> float:
    """Scale at which the farthest vertex behind the picture lies at `_FILL` of the object's sphere."""
    scale = 1.0
    for _ in range(8):  # the map is almost linear in the scale: each round gains a digit
        radius = np.linalg.norm(behind_picture(vertices, distance, scale), axis=1).max()
        scale *= _FILL * OBJECT_RADIUS / radius
    return scale


def _part(
    vertices: np.ndarray, faces: np.ndarray, uvs: np.ndarray, picture: np.ndarray, normals: np.ndarray
) -> TexturedMesh:
    """The faces with only the vertices they use."""
    used, faces = np.unique(faces, return_inverse=True)
    return TexturedMesh(Mesh(vertices[used], faces.reshape(-1, 3)), uvs[used], picture, normals[used])
