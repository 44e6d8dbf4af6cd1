"""A source without learning: the outline inflated, the picture painted on its front, a guess on its back.

The baseline that the learned `preview` is compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, focal_px, orbit_camera
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.cutout.fringe import extended, fringe_px
from zero123pp.pipelines.models import MultiViewModel
from zero123pp.pipelines.models.back_side import BackConfig, back_side
from zero123pp.pipelines.models.painting import painted_views
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.prior.inflate import InflateConfig, Inflated, behind_picture, inflate
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, Mesh, MultiView, TexturedMesh

_FILL = 0.95
"""Radius of the object over `OBJECT_RADIUS`; above sin(15 deg) / tan(15 deg) = 0.966 it can leave a view's frame."""


@dataclass(frozen=True)
class InflatedConfig:
    """How the shape and the back are guessed."""

    shape: InflateConfig = field(default_factory=InflateConfig)
    """See `InflateConfig`."""
    back: BackConfig = field(default_factory=BackConfig)
    """See `BackConfig`."""


class InflatedModel(MultiViewModel):
    """A source without weights and without chance."""

    licence = "Apache-2.0"
    rig = "v1.2"
    note = (
        "The shape and the back are guessed from the outline of the picture; "
        "views from the official Zero123++ weights give a better object."
    )

    overrides = ("fit.weight_mask=10", "refine.use=never", "align.use=never")
    """All views show the same solid, so their outlines can be trusted: thin parts keep their width. What
    they show is a guess, and not worth refining to."""

    def __init__(self, config: InflatedConfig = InflatedConfig(), name: str = "inflated") -> None:
        self.config, self.name = config, name

    def generate(
        self,
        cutout: Cutout,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> MultiView:
        """The six v1.2 views of the guessed object, and the cutout itself as a seventh view.

        All views have depth and normals. The seventh camera stands at azimuth 0, elevation 0 on the rig's ring, with
        the rig's field of view cut down to the frame of the cutout. ``seed``, ``steps`` and ``guidance`` change
        nothing here. Raises BadInput when the cutout is empty.
        """
        report = progress or (lambda fraction: None)
        rgba = to_float(cutout.rgba)
        solid = inflate(rgba[..., 3], self.config.shape)
        report(0.3)
        front_camera, parts = _paint(solid, rgba, fringe_px(cutout), self.config)
        views = painted_views(parts, front_camera, parts[0].base_color, self.rig, lambda done: report(0.3 + 0.7 * done))
        return MultiView(views, source=self.name, rig=self.rig, input_view=len(views) - 1)


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
