"""The source that needs no download: a small network reads one picture, and its solid is handed on as it is."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from zero123pp.errors import BadInput, ConfigError, StageFailed
from zero123pp.images import to_float, to_uint8, without_small_holes
from zero123pp.pipelines.models.contract import MultiViewModel
from zero123pp.pipelines.models.groups import Progress
from zero123pp.recon.prior import OneViewNetwork, OneViewSolid, SolidConfig, Wishes, one_view_solid
from zero123pp.types import Cutout, Mesh, MultiView, View

if TYPE_CHECKING:
    from collections.abc import Callable

SYMMETRIES = ("auto", "off", "mirror", "lathe")


@dataclass(frozen=True)
class OneViewConfig:
    """What `preview` makes of its picture; the first five repair what it guessed wrong."""

    depth: float = 1.0
    """Factor of the object's depth along the line of sight, 0.1 to 4: 0.8 for a thing that came out too deep."""
    elevation: float | None = None
    """Degrees that the camera looks down on the object, -90 to 90; null: what the network sees."""
    up: float | None = None
    """Where the object's top points in the picture, degrees clockwise from the picture's top, -180 to 180; null: what
    the network sees."""
    symmetry: Literal["auto", "off", "mirror", "lathe"] = "off"
    """auto: one that holds is used; off: none; mirror: both sides of the best upright plane are made alike; lathe: the
    body becomes one of revolution about the upright axis."""
    back: str | None = None
    """A picture of the object's other side, file name; null: the back's colours are guessed."""
    solid: SolidConfig = field(default_factory=SolidConfig)
    """See `SolidConfig`."""

    def __post_init__(self) -> None:
        _check("depth", self.depth, 0.1, 4, "a factor")
        _check("elevation", self.elevation, -90, 90, "degrees")
        _check("up", self.up, -180, 180, "degrees")
        if self.symmetry not in SYMMETRIES:
            raise ConfigError(f"symmetry is {self.symmetry!r}; choose one of {', '.join(SYMMETRIES)}")
        if self.back is not None and not Path(self.back).is_file():
            raise ConfigError(f"back is {self.back!r}, and there is no such file; give a picture of the object's back")

    @property
    def wishes(self) -> Wishes:
        """The first four in the words of `zero123pp.recon.prior`."""
        return Wishes(self.depth, self.elevation, self.up, self.symmetry)


def _check(name: str, value: float | None, least: float, most: float, unit: str) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigError(f"{name} is {value}; expected {unit} from {least} to {most}")


class OneViewModel(MultiViewModel):
    """A source without chance that brings its own surface."""

    name = "preview"
    licence = "Apache-2.0"
    rig = "v1.2"
    guesses_shape = True
    settings = "preview"
    overrides = ("fit.weight_mask=10", "refine.use=never", "align.use=never")
    """As of `InflatedModel`, which stands in where the network sees nothing."""
    note = (
        "The shape, and the colours of what the picture does not show, are guessed by a small network; "
        "views from the official Zero123++ weights give a better object."
    )

    def __init__(self, network: "Callable[[], OneViewNetwork] | None" = None) -> None:
        self._network = network
        """Loads it when it is wanted; None: the bundled one."""

    def generate(
        self,
        cutout: Cutout,
        *,
        progress: Progress | None = None,
        preview: OneViewConfig = OneViewConfig(),
        **_unused: object,
    ) -> MultiView:
        """The picture as the only view, and the solid behind it as `MultiView.surface`.

        The camera stands at azimuth 0 and the elevation that the network sees. What the network cannot see at all is
        inflated, and a note says so. Seed, steps and guidance change nothing here. Raises BadInput when the cutout is
        empty, or the picture of the back shows nothing.
        """
        report = progress or (lambda fraction: None)
        rgba = to_float(cutout.rgba)
        if not (rgba[..., 3] > 0.5).any():
            raise BadInput("the silhouette is empty: no pixel is more than half opaque; check the cutout")
        try:
            solid = one_view_solid(rgba, (self._network or _bundled())(), preview.solid, preview.wishes)
        except StageFailed:
            return self._inflated(cutout)
        report(0.6)
        view = _painted_view(cutout, solid, preview)
        report(0.9)
        surface = Mesh(solid.mesh.vertices, solid.mesh.faces, _vertex_colors(solid.mesh, view))
        return MultiView((view,), source=self.name, input_view=0, surface=surface)

    def generate_sheet(self, cutout: Cutout, **options: object) -> np.ndarray:
        """The six views of the rig, drawn of the surface; see `MultiViewModel.generate_sheet`."""
        from zero123pp.images import tile_sheet
        from zero123pp.pipelines.models.painting import rig_views

        drawn = self.generate(cutout, **options)
        views = drawn.views[:6] if drawn.surface is None else rig_views(drawn.surface, self.rig)
        return tile_sheet(np.stack([np.dstack([view.rgb, view.alpha]) for view in views]))

    def _inflated(self, cutout: Cutout) -> MultiView:
        from zero123pp.pipelines.models.inflated import InflatedModel

        return replace(InflatedModel(name=self.name).generate(cutout), note=_INFLATED_NOTE)


def _bundled() -> "Callable[[], OneViewNetwork]":
    from zero123pp.recon.prior import bundled_one_view

    return bundled_one_view


_INFLATED_NOTE = (
    "The small network saw no such solid in the picture: the shape and the back are guessed from its outline alone; "
    "views from the official Zero123++ weights give a better object."
)

_SOFT_PX = 2
"""Width of the soft edge of a picture's alpha; farther inside the solid is opaque, whatever the picture is."""

_FACING = (-0.1, 0.1)
"""Cosines to the line of sight between which a vertex turns from the colour behind to that of the picture."""


def _painted_view(cutout: Cutout, solid: OneViewSolid, config: OneViewConfig) -> View:
    """The picture, opaque wherever the solid is, with what is guessed of the other side."""
    from scipy.ndimage import binary_erosion

    from zero123pp.pipelines.cutout import without_fringe
    from zero123pp.pipelines.models.other_side import back_of, back_picture

    rgba = without_fringe(cutout)
    rgb = np.ascontiguousarray(rgba[..., :3])
    alpha = without_small_holes(rgba[..., 3], config.solid.smallest_hole)
    alpha = np.where(binary_erosion(alpha > 0.5, iterations=_SOFT_PX), np.float32(1), alpha)
    behind = back_of(rgb, alpha, solid) if config.back is None else back_picture(config.back, alpha)
    return View(rgb, alpha, solid.camera, behind=behind)


def _vertex_colors(mesh: Mesh, view: View) -> np.ndarray:
    """(Nv, 3) uint8: the picture's colours on what faces its camera, those behind on the rest."""
    from zero123pp.cameras import project
    from zero123pp.recon.meshing import smooth_normals
    from zero123pp.recon.ops import bilinear

    px, _ = project(view.camera, mesh.vertices)
    towards = view.camera.world_from_cam[:3, 3] - mesh.vertices
    cosine = (smooth_normals(mesh) * towards).sum(-1) / np.maximum(np.linalg.norm(towards, axis=-1), 1e-9)
    share = np.clip((cosine - _FACING[0]) / (_FACING[1] - _FACING[0]), 0, 1)[:, None]
    return to_uint8(share * bilinear(view.rgb, px) + (1 - share) * bilinear(view.behind, px))
