"""Posed views to a textured mesh: align views -> fit -> surface -> clean mesh -> refinement -> register -> texture.

Views that come with their surface begin at the clean mesh.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from zero123pp.pipelines.cutout import without_fringe
from zero123pp.pipelines.progress import Stages
from zero123pp.recon.consistency import AlignConfig, align_views, may_align
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.meshing import CleanConfig, ExtractConfig, clean, extract, facts, is_watertight, welded
from zero123pp.recon.metrics import agreement
from zero123pp.recon.prior import ViewNormalsConfig, bundled_one_view, with_guessed_normals
from zero123pp.recon.refine import RefineConfig, refine, wanted
from zero123pp.recon.registration import RegisterConfig, register_input_view
from zero123pp.recon.texturing import KeptMesh, TextureConfig, texture
from zero123pp.types import Cutout, Mesh, MultiView, TexturedMesh, View


@dataclass(frozen=True)
class ReconstructionConfig:
    """The configs of the stages from views to textured mesh; each is described beside its stage."""

    align: AlignConfig = field(default_factory=AlignConfig)
    normals: ViewNormalsConfig = field(default_factory=ViewNormalsConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    extract: ExtractConfig = field(default_factory=ExtractConfig)
    clean: CleanConfig = field(default_factory=CleanConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    register: RegisterConfig = field(default_factory=RegisterConfig)
    texture: TextureConfig = field(default_factory=TextureConfig)


@dataclass(frozen=True)
class Reconstruction:
    """What the stages make of one set of views."""

    mesh: Mesh
    """Closed, with vertex colours."""
    textured: TexturedMesh
    views_report: dict[str, Any]
    mesh_report: dict[str, Any]
    input_view: View | None
    """The input picture, where it is one of the views or became one."""
    picture_report: dict[str, Any]
    texture_report: dict[str, Any]

    def checked(self, views: MultiView) -> dict[str, Any]:
        """The reports of all stages, and how well the textured mesh agrees with the views that it was made from.

        'picture' holds the 'silhouette_iou' and 'foreground_psnr_db' of the input picture where it is a view.
        """
        agreed = agreement(self.textured, views.views)
        with_picture = {}
        if views.input_view is not None:
            with_picture = {name: values[views.input_view] for name, values in agreed.items()}
        elif self.input_view is not None:
            with_picture = {name: value for name, (value,) in agreement(self.textured, [self.input_view]).items()}
        return {
            "align": self.views_report,
            "mesh": self.mesh_report,
            "picture": self.picture_report | with_picture,
            "texture": self.texture_report,
            "agreement": agreed,
        }


def reconstruct(
    views: MultiView,
    config: ReconstructionConfig = ReconstructionConfig(),
    *,
    cutout: Cutout | None = None,
    seed: int = 0,
    stages: Stages | None = None,
    on_mesh: Callable[[Mesh], None] = lambda mesh: None,
    kept: KeptMesh | None = None,
) -> Reconstruction:
    """A textured mesh of the object that the views show, in their world frame.

    Args:
        views: any number of posed views.
        config: of the stages.
        cutout: what the views were made from, seen from azimuth 0. The texture takes it as one more view where its
            camera can be told.
        seed: fixes every random choice.
        stages: gets the progress and the cost of the stages 'align', 'fit', 'mesh', 'refine' and 'register' (where
            there are any) and 'texture'.
        on_mesh: called with the closed mesh, vertex colours and all, before it is textured.
        kept: a mesh that is only painted: nothing is fitted, and the views are taken as they are.

    Raises:
        StageFailed: no surface can be made of the views.
    """
    stages = Stages() if stages is None else stages
    if kept is None:
        views, views_report = aligned_views(views, config, seed, stages)
        mesh, mesh_report, fine = closed_mesh(views, config, seed, stages)
    else:
        mesh, views_report, fine = kept.mesh, {}, None
        mesh_report = facts(mesh) | {"field": "none: the mesh was given"}
    on_mesh(mesh)
    views, picture_report = with_input_view(views, mesh, cutout, config, stages)
    with stages.stage("texture") as report:
        textured, texture_report = texture(
            mesh, views.views, config.texture, progress=report, fine=fine, atlas=None if kept is None else kept.atlas
        )
        # Seams of the atlas split vertices; readers that weld by position have to get the closed surface back.
        mesh_report["watertight_with_seams"] = is_watertight(welded(textured.mesh).faces)
    picture = None if views.input_view is None else views.views[views.input_view]
    return Reconstruction(mesh, textured, views_report, mesh_report, picture, picture_report, texture_report)


AGREES = 0.96
"""Mean IoU of a mesh's silhouettes with those of its views below which the views contradict each other, or the mesh
them: 0.98 and more for true and for well generated views, 0.91 to 0.95 under the cameras of another rig."""
COVERS = 0.85
"""The same of the input picture alone: where parts of it are too thin for the grid, the mesh lacks them."""
BENT = 0.008
"""Root mean square displacement of a view by the align stage, as a share of its picture's side, that is a lot: 2.5 px
of 320."""


def doubts(checked: Mapping[str, Any], views: MultiView) -> Iterator[str]:
    """What in the reports of `Reconstruction.checked` speaks against the result, one sentence each."""
    if not checked.get("texture", {}).get("normal_map", True):
        yield "there is no normal map: the mesh was refined, so that no surface is finer (--set refine.use=never)"
    picture = checked["picture"].get("silhouette_iou", 1.0)
    if picture < COVERS:
        yield f"the mesh and the picture's outline overlap by {picture:.0%} only: parts are too thin for it, or guessed"
        return
    overlap = checked["agreement"]["silhouette_iou"][: len(views)]
    mean = sum(overlap) / len(overlap)
    bent = [px / max(view.alpha.shape) for px, view in zip(checked["align"].get("warped_px", ()), views.views)]
    if mean < AGREES or max(bent, default=0.0) > BENT:
        look = "cameras and masks" if views.captured else "the views: their layout, background and --rig"
        how = f", which were bent by up to {max(bent):.1%} of their size" if bent else ""
        yield f"the mesh agrees badly with its views (silhouettes overlap by {mean:.0%}){how}; look at {look}"


def aligned_views(
    views: MultiView, config: ReconstructionConfig, seed: int, stages: Stages
) -> tuple[MultiView, dict[str, Any]]:
    """The views as the other stages take them, see `align_views`; arguments and errors as of `reconstruct`.

    Views that come with their surface agree with it; no stage is told where none is to be aligned.
    """
    if views.surface is not None or not may_align(views, config.align):
        return views, {}
    with stages.stage("align") as report:
        return align_views(views, config.align, config.fit, seed=seed, progress=report)


class ClosedMesh(NamedTuple):
    """The mesh before texturing."""

    mesh: Mesh
    """With vertex colours."""
    report: dict[str, Any]
    fine: Mesh | None
    """The surface that it was simplified from; None where it was refined since, and is the finer one."""


def closed_mesh(views: MultiView, config: ReconstructionConfig, seed: int, stages: Stages) -> ClosedMesh:
    """The mesh before texturing; arguments and errors as of `reconstruct`.

    It is fitted to the views unless they come with their surface.
    """
    if views.surface is not None:
        with stages.stage("mesh"):
            mesh, mesh_report = clean(views.surface, config.clean)
        return ClosedMesh(mesh, mesh_report | {"field": "none: the views came with their surface"}, views.surface)
    with stages.stage("fit") as report:
        surface = fit(*_looked_at(views, config), seed=seed, progress=report)
    with stages.stage("mesh"):
        fine = extract(surface, config.extract)
        mesh, mesh_report = clean(fine, config.clean)
        mesh_report["field"] = surface.made_by
    if wanted(views.views, config.refine):
        with stages.stage("refine") as report:
            mesh, refined = refine(mesh, views.views, config.refine, progress=report)
            mesh_report |= facts(mesh) | {"refined": refined}
        fine = None
    return ClosedMesh(mesh, mesh_report, fine)


def _looked_at(views: MultiView, config: ReconstructionConfig) -> tuple[MultiView, FitConfig]:
    """What the fit is given: the views, where wanted with guessed normals, and its config."""
    if config.normals.use == "never" or any(view.normal is not None for view in views.views):
        return views, config.fit
    guessed = with_guessed_normals(views, bundled_one_view())
    return guessed, replace(config.fit, weight_normal=config.normals.weight)


def with_input_view(
    views: MultiView, mesh: Mesh, cutout: Cutout | None, config: ReconstructionConfig, stages: Stages
) -> tuple[MultiView, dict[str, Any]]:
    """The views, and after them, unless it is one of them, the picture where `register_input_view` finds its camera."""
    if cutout is None or views.input_view is not None or config.register.use == "never":
        return views, {}
    with stages.stage("register") as report:
        view, picture_report = register_input_view(without_fringe(cutout), mesh, config.register, progress=report)
    if view is None:
        return views, picture_report
    return replace(views, views=(*views.views, view), input_view=len(views)), picture_report
