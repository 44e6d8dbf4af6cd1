"""The source that needs no download: the outline inflated, the picture painted on its front, a guess on its back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, focal_px, orbit_camera
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.models.back_side import BackConfig, back_side
from zero123pp.recon.inflate import InflateConfig, Inflated, behind_picture, inflate
from zero123pp.recon.normals import smooth_normals
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, Mesh, MultiView, TexturedMesh, View

TILE_PX = 320
"""Side of the six views: that of Zero123++'s tiles."""

_FILL = 0.95
"""Radius of the object over `OBJECT_RADIUS`; above sin(15 deg) / tan(15 deg) = 0.966 it can leave a view's frame."""

_RIM = 0.004
"""Width of the rim where a half-transparent pixel may hold background, in picture sides."""

_EXACT_METHODS = ("alpha", "given")
"""Cutouts whose alpha came with the picture; others are estimated."""

_FRINGE = 0.008
"""Width of the rim of an estimated cutout in which background may shine through, share of the picture's side."""

GUESSED_CONFIDENCE = 0.3
"""Trust in the six guessed views relative to the picture itself, which has 1."""


@dataclass(frozen=True)
class PreviewConfig:
    """How the preview guesses."""

    shape: InflateConfig = field(default_factory=InflateConfig)
    """See `InflateConfig`."""
    back: BackConfig = field(default_factory=BackConfig)
    """See `BackConfig`."""


class PreviewModel:
    """A `zero123pp.pipelines.models.MultiViewModel` without weights and without chance."""

    name = "preview"
    licence = "Apache-2.0"
    rig = "v1.2"
    note = (
        "The shape and the back are guessed from the outline of the picture; "
        "views from the official Zero123++ weights give a better object."
    )

    overrides = ("fit.weight_mask=10",)
    """All views show the same solid, so their outlines can be trusted: thin parts keep their width."""

    def __init__(self, config: PreviewConfig = PreviewConfig()) -> None:
        self.config = config

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
        fringe_px = 0.0 if cutout.method in _EXACT_METHODS else _FRINGE * len(rgba)
        front_camera, parts = _paint(solid, rgba, fringe_px, self.config)
        cameras = (*get_rig(self.rig).cameras(TILE_PX), front_camera)
        views = []
        with ThreadPoolExecutor(2) as pool:  # the rasteriser lets go of the interpreter
            for view in pool.map(lambda camera: render(parts, camera), cameras):
                views.append(replace(view, confidence=GUESSED_CONFIDENCE))
                report(0.3 + 0.09 * len(views))
        views[-1] = _input_view(views[-1], parts)
        report(1.0)
        return MultiView(tuple(views), source=self.name, rig=self.rig)


def _paint(
    solid: Inflated, rgba: np.ndarray, fringe_px: float, config: PreviewConfig
) -> tuple[Camera, list[TexturedMesh]]:
    """The front camera of the picture, and the solid before it as a front and a back half with their pictures."""
    rig, size = get_rig(PreviewModel.rig), len(rgba)
    flat = np.asarray(solid.mesh.vertices, np.float64)
    centre = (flat[:, :2].min(0) + flat[:, :2].max(0)) / 2
    centred = flat - [*centre, 0]
    scale = _fitting_scale(centred, rig.distance)
    # The rig's camera sees one world unit on the plane through the origin; the picture's frame is `scale` of that.
    camera = orbit_camera(0, 0, rig.distance, rig.fov_deg, size)
    focal = focal_px(rig.fov_deg, size / scale)
    camera = replace(camera, fx=focal, fy=focal, cx=(0.5 + centre[0]) * size, cy=(0.5 - centre[1]) * size)

    mesh = Mesh(behind_picture(centred, rig.distance, scale), solid.mesh.faces)
    front = _extended(rgba[..., :3], rgba[..., 3], fringe_px)
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


def _input_view(guess: View, parts: list[TexturedMesh]) -> View:
    """The picture itself, with the guessed depth and normals under it.

    Its alpha is the solid's: the same outline to a fraction of a pixel, but opaque inside, as the mesh will be, where a
    soft cutout leaves half-transparent patches that no mesh can show.
    """
    return replace(guess, rgb=to_float(parts[0].base_color), confidence=1.0)


def _extended(rgb: np.ndarray, alpha: np.ndarray, fringe_px: float) -> np.ndarray:
    """Colours carried on over the outline, so that no look-up at the rim meets a pixel of no colour.

    Pixels nearer than ``fringe_px`` to the outline take the colour of the nearest one farther in: an estimated mask is
    a little too wide here and there, and the background that it lets in would be stretched over the object's sides.
    """
    from scipy import ndimage

    solid = alpha > 0.5
    depth = ndimage.distance_transform_edt(solid)
    known = solid & ((alpha > 0.9) | (depth > _RIM * len(rgb))) & (depth > fringe_px)
    if not known.any():
        return _extended(rgb, alpha, 0.0) if fringe_px > 0 else rgb
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    weight = np.where(known, 1.0, np.clip((alpha - 0.5) / 0.4, 0, 1) * (fringe_px == 0))[..., None]
    return (weight * rgb + (1 - weight) * rgb[rows, columns]).astype(np.float32)
