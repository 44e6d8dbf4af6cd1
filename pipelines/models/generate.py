"""Views from a cutout by a multi-view model: plain, under depth control, with normals, or refined over a proxy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.pipelines.models.depth_control import depth_sheet
from zero123pp.pipelines.models.groups import part
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import ReconstructionConfig
from zero123pp.types import Cutout, MultiView, Part

if TYPE_CHECKING:
    from zero123pp.pipelines.models import MultiViewModel


@dataclass(frozen=True)
class Generation:
    """What to ask of a multi-view model, for one object or for several."""

    steps: int | None = None
    """Denoising steps; None for the model's own default."""
    guidance: float | None = None
    """Classifier-free guidance scale; None for the model's own default."""
    depth: Any = None
    """Control sheet: path, PIL picture or array; near black, far white, transparent where there is no object."""
    depth_from: str | Path | Part | None = None
    """Mesh whose depth is the control sheet."""
    depth_scale: float | None = None
    """Weight of the depth control; None for the authors' 0.75."""
    depth_refine: bool = False
    """Reconstruct once, and draw the views again under the depth of that mesh."""
    with_normals: bool = False
    """Draw the normals of the views as well, for the alpha and for the reconstruction."""

    def __post_init__(self) -> None:
        ways = {"depth": self.depth is not None, "depth_from": self.depth_from is not None}
        ways["depth_refine"] = self.depth_refine
        given = [name for name, is_given in ways.items() if is_given]
        if len(given) > 1:
            raise BadInput(f"{' and '.join(given)} given together; the depth can come from one of them only")
        if self.depth_scale is not None and not given:
            raise BadInput("depth_scale given without any depth control")

    @property
    def under_depth(self) -> bool:
        """Whether any sheet will be drawn under depth control."""
        return self.depth is not None or self.depth_from is not None or self.depth_refine

    def prepare(self, model: "MultiViewModel") -> None:
        """Refuse what the model cannot do, and read or render the control sheet, before any long work.

        Raises BadInput or MissingBackend.
        """
        model.check_controls(depth=self.under_depth, normals=self.with_normals)
        self.control_sheet(model)

    def control_sheet(self, model: "MultiViewModel") -> np.ndarray | None:
        """The depth sheet for ``model``, checked for its size; None when none is given."""
        if self.depth is not None:
            sheet = read_image(self.depth)
            width, height = model.sheet_size
            if sheet.shape[:2] != (height, width):
                raise BadInput(
                    f"the depth sheet is {sheet.shape[1]}x{sheet.shape[0]} px; expected {width}x{height} px, "
                    "3 rows x 2 columns of views"
                )
            return sheet
        if self.depth_from is not None:
            return depth_sheet(self.depth_from, model.rig, model.sheet_size[0] // 2)
        return None


def draw_views(
    model: "MultiViewModel",
    cutouts: Sequence[Cutout],
    seeds: Sequence[int],
    request: Generation,
    config: ReconstructionConfig,
    stages: Stages,
) -> list[MultiView]:
    """The posed views of the object in each cutout; drawn together by a model that can.

    Args:
        model: the source of views.
        cutouts: the objects.
        seeds: of each; a seed fixes every random choice.
        request: what to ask of it for all of them; `Generation.prepare` has been called.
        config: of the proxies' reconstruction, for ``depth_refine``.
        stages: gets the progress; 'views', and with ``depth_refine`` 'proxy' and 'refined'.
    """
    sheet = request.control_sheet(model)
    depths = None if sheet is None else [sheet] * len(cutouts)
    with stages.stage("views") as report:
        # The first sheet of a refinement is thrown away: no normals for it.
        normals = request.with_normals and not request.depth_refine
        views = _generate(model, cutouts, seeds, request, depths, normals, report)
    if not request.depth_refine:
        return views
    with stages.stage("proxy") as report:
        size, count, depths = model.sheet_size[0] // 2, len(cutouts), []
        for number, (drawn, seed) in enumerate(zip(views, seeds)):
            proxy = _proxy(drawn, config, seed, part(report, number / count, (number + 1) / count))
            depths.append(depth_sheet(proxy, model.rig, size))
    with stages.stage("refined") as report:
        return _generate(model, cutouts, seeds, request, depths, request.with_normals, report)


def _generate(
    model: "MultiViewModel",
    cutouts: Sequence[Cutout],
    seeds: Sequence[int],
    request: Generation,
    depths: Sequence[np.ndarray] | None,
    with_normals: bool,
    report: Callable[[float], None],
) -> list[MultiView]:
    common: dict[str, object] = {"steps": request.steps, "guidance": request.guidance}
    if depths is not None and request.depth_scale is not None:
        common["depth_scale"] = request.depth_scale
    if with_normals:
        common["with_normals"] = True
    return model.generate_many(cutouts, seeds=seeds, depths=depths, progress=report, **common)


def _proxy(views: MultiView, config: ReconstructionConfig, seed: int, report: Callable[[float], None]) -> Part:
    """The untextured surface of the views: what their depth is taken from."""
    from zero123pp.recon.fitting.fit import fit
    from zero123pp.recon.meshing.clean import clean
    from zero123pp.recon.meshing.extract import extract

    surface = fit(views, config.fit, seed=seed, progress=report)
    mesh, _ = clean(extract(surface, config.extract), config.clean)
    return replace(mesh, colors=None)
