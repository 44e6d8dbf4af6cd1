"""Views from a cutout by a multi-view model: plain, under depth control, with normals, or refined over a proxy."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import read_image
from zero123pp.pipelines.models.depth_control import depth_sheet
from zero123pp.pipelines.models.groups import part
from zero123pp.pipelines.models.options import Generation
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import ReconstructionConfig
from zero123pp.types import Cutout, MultiView, Part

if TYPE_CHECKING:
    from zero123pp.pipelines.models.contract import MultiViewModel


def prepare(request: Generation, model: "MultiViewModel") -> None:
    """Refuse what the model cannot do, and read or render the control sheet, before any long work.

    Raises BadInput or MissingBackend.
    """
    model.check_controls(depth=request.under_depth, normals=request.with_normals)
    control_sheet(request, model)


def control_sheet(request: Generation, model: "MultiViewModel") -> np.ndarray | None:
    """The depth sheet for ``model``, checked for its size; None when none is given."""
    if request.depth is not None:
        sheet = read_image(request.depth)
        width, height = model.sheet_size
        if sheet.shape[:2] != (height, width):
            raise BadInput(
                f"the depth sheet is {sheet.shape[1]}x{sheet.shape[0]} px; expected {width}x{height} px, "
                "3 rows x 2 columns of views"
            )
        return sheet
    if request.depth_from is not None:
        return depth_sheet(request.depth_from, model.rig, model.sheet_size[0] // 2)
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
        request: what to ask of it for all of them; `prepare` has been called.
        config: of the proxies' reconstruction, for ``depth_refine``.
        stages: gets the progress; 'views', and with ``depth_refine`` 'proxy' and 'refined'.
    """
    sheet = control_sheet(request, model)
    depths = None if sheet is None else [sheet] * len(cutouts)
    with stages.stage("views") as report:
        # The first sheet of a refinement is thrown away: no normals for it.
        normals = request.with_normals and not request.depth_refine
        views = _generate(model, cutouts, seeds, request, config, depths, normals, report)
    if not request.depth_refine:
        return views
    with stages.stage("proxy") as report:
        size, count, depths = model.sheet_size[0] // 2, len(cutouts), []
        for number, (drawn, seed) in enumerate(zip(views, seeds)):
            proxy = _proxy(drawn, config, seed, part(report, number / count, (number + 1) / count))
            depths.append(depth_sheet(proxy, model.rig, size))
    with stages.stage("refined") as report:
        return _generate(model, cutouts, seeds, request, config, depths, request.with_normals, report)


def _generate(
    model: "MultiViewModel",
    cutouts: Sequence[Cutout],
    seeds: Sequence[int],
    request: Generation,
    config: ReconstructionConfig,
    depths: Sequence[np.ndarray] | None,
    with_normals: bool,
    report: Callable[[float], None],
) -> list[MultiView]:
    common: dict[str, object] = {"steps": request.steps, "guidance": request.guidance}
    if depths is not None and request.depth_scale is not None:
        common["depth_scale"] = request.depth_scale
    if with_normals:
        common["with_normals"] = True
    if model.settings and hasattr(config, model.settings):
        common[model.settings] = getattr(config, model.settings)
    return model.generate_many(cutouts, seeds=seeds, depths=depths, progress=report, **common)


def _proxy(views: MultiView, config: ReconstructionConfig, seed: int, report: Callable[[float], None]) -> Part:
    """The untextured surface of the views: what their depth is taken from."""
    from zero123pp.recon.fitting import fit
    from zero123pp.recon.meshing import clean, extract

    surface = fit(views, config.fit, seed=seed, progress=report)
    mesh, _ = clean(extract(surface, config.extract), config.clean)
    return replace(mesh, colors=None)
