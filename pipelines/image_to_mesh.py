"""The story: picture -> cutout -> views -> align views -> fit -> mesh -> register -> texture -> asset."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero123pp import __version__
from zero123pp.configs import describe, load
from zero123pp.errors import BadInput
from zero123pp.options import given_of, record_from
from zero123pp.pipelines.asset import Asset
from zero123pp.pipelines.cutout import CutoutConfig, cut_along, cut_out, outline_of_mask
from zero123pp.pipelines.inputs import Source, check_no_drawing, check_text_control, read_image
from zero123pp.pipelines.models import (
    Generation,
    GivenViews,
    ModelOptions,
    OneViewConfig,
    draw_views,
    load_model,
    may_download,
    picture_on,
    prepare,
    read_kept_mesh,
)
from zero123pp.pipelines.progress import Cancel, StageProgress, Stages, cancellable, peak_memory_mb, turn
from zero123pp.pipelines.reconstruct import (
    ReconstructionConfig,
    aligned_views,
    closed_mesh,
    doubts,
    reconstruct,
    with_input_view,
)
from zero123pp.types import Cutout, Mesh, MultiView, TexturedMesh

if TYPE_CHECKING:
    from zero123pp.pipelines.inputs import PosedPictures
    from zero123pp.pipelines.models import MultiViewModel
    from zero123pp.recon.texturing import KeptMesh


@dataclass(frozen=True)
class PipelineConfig(ReconstructionConfig):
    """The configs of all stages; each is described beside its stage."""

    cutout: CutoutConfig = field(default_factory=CutoutConfig)
    preview: OneViewConfig = field(default_factory=OneViewConfig)


class ImageTo3D:
    """One picture (or one sheet of views) in, one textured mesh out.

    Keeps its models between calls, and may be called from several threads: they draw views in turn, because a sampler
    has a state, and do all else at the same time.

    Example:
        >>> asset = ImageTo3D.from_pretrained("auto")("toy.png", seed=0)  # doctest: +SKIP
        >>> asset.save("toy.glb")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: "MultiViewModel",
        config: PipelineConfig | None = None,
        config_of_given: PipelineConfig | None = None,
        *,
        device: str = "auto",
        download: bool = False,
    ) -> None:
        self.model = model
        self.config = PipelineConfig() if config is None else config
        """For views of the model."""
        self.config_of_given = self.config if config_of_given is None else config_of_given
        """For views that are given instead: without what suits the model's views only."""
        self._device, self._download = device, download
        self._drawing = threading.Lock()

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path = "auto",
        *,
        device: str = "auto",
        dtype: str = "auto",
        preset: str | Path = "default",
        overrides: Sequence[str] = (),
        download: bool = False,
        **options: object,
    ) -> "ImageTo3D":
        """Load a multi-view model by name, folder or hub id.

        Args:
            model: 'auto' (the official weights when they are here or may be downloaded, else 'preview'), a name
                from `zero123pp.pipelines.models.MODELS`, the folder of a checkpoint, or a hub id.
            device: 'auto', 'cpu' or 'cuda'; only the diffusion model uses it.
            dtype: 'float32', 'float16', 'bfloat16' or 'auto', for the diffusion model.
            preset: name or YAML file of a preset, see `zero123pp.configs.load`.
            overrides: config values such as ``["fit.steps=200"]``, on top of the preset and of the model's own.
            download: agree to download weights that are not here.
            options: more for diffusion models, such as revision, unet, controlnet, refiner, sampler, offload or
                quantize: the fields of `zero123pp.pipelines.models.options.ModelOptions`.

        Raises:
            BadInput: no such model, or one whose files cannot be used.
            MissingBackend: the model needs a library that is not installed, or weights that are not here.
        """
        plain = load(PipelineConfig, preset, overrides)
        source = load_model(str(model), device=device, dtype=dtype, download=download, **options)
        config = load(PipelineConfig, preset, (*source.overrides, *overrides))
        return cls(source, config, plain, device=device, download=may_download(download))

    def __call__(
        self,
        image: Any = None,
        *,
        seed: int = 0,
        prompt: str | None = None,
        text_model: str | Path | None = None,
        text_controlnet: str | Path | None = None,
        views: Any = None,
        normals: Any = None,
        texture_mesh: Any = None,
        rig: str | None = None,
        cameras: str | Path | None = None,
        up: str | None = None,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
        **drawing: Any,
    ) -> Asset:
        """Turn a picture, a text or given views into a textured mesh.

        Args:
            image: path, PIL image or (H, W, 3 or 4) uint8 array.
            seed: fixes every random choice; the same inputs and seed give the same bytes on one machine.
            prompt: a text to draw the picture from instead; with depth_from, as a picture of that mesh.
            text_model: folder or hub id of the text-to-image checkpoint that draws it.
            text_controlnet: folder or hub id of its depth ControlNet, for depth_from.
            views: to start from instead: a sheet (path, PIL image or array), the pictures of a drawn turnaround
                (paths), a MultiView, or a folder of posed pictures (RGBA, or with masks).
            normals: the sheet of view-space normals that belongs to a sheet of views.
            texture_mesh: a mesh (path, Mesh, TexturedMesh or several) that is painted instead of making one; front to
                +Z. Its geometry stays as it is, in its own frame.
            rig: of a sheet of views ('v1.1' or 'v1.2'; default: the one under which its silhouettes agree, else v1.2)
                or of a turnaround ('turnaround4', 'turnaround3' or 'frontback').
            cameras: the `transforms.json` of a folder of posed pictures; default: the one in the folder.
            up: the axis of that file's world that points up, such as 'z' or '-y'; default: what it says, else z.
            progress: called with the stage's name and the fraction done.
            cancel: function or `threading.Event` that says when to stop, asked at each tick of the progress.
            drawing: how a diffusion model draws the views: steps, guidance, depth, depth_from, depth_scale,
                depth_refine and with_normals, the fields of `zero123pp.pipelines.models.options.Generation`.

        Raises:
            BadInput: a picture, sheet or argument that cannot be used, or arguments that do not go together.
            MissingBackend: what was asked for (a ControlNet, a refiner, a text model) is not here.
            StageFailed: valid input from which no surface could be made.
            Cancelled: ``cancel`` said so.
        """
        source = Source(image, prompt, text_model, text_controlnet, views, rig, cameras, up, normals, texture_mesh)
        request = record_from(Generation, drawing, ModelOptions)
        check_text_control(given_of(vars(source) | vars(request), Source, Generation))
        tick = cancellable(progress, cancel)
        stages = Stages(tick)
        if views is not None:
            check_no_drawing(given_of(vars(request), Generation))
            with stages.stage("views"):
                multiview, posed = source.given_views()
            given, config = GivenViews(multiview.source), self.config_of_given
            kept = None if texture_mesh is None else read_kept_mesh(texture_mesh, config)
            return self._finish(given, multiview, config, seed, stages, posed=posed, kept=kept)
        kept = None if texture_mesh is None else read_kept_mesh(texture_mesh, self.config)
        with turn(self._drawing, tick, "views"):
            prepare(request, self.model)
        if prompt is not None:
            with stages.stage("picture") as report:
                image = self._draw(source, request.depth_from, seed, report)
        with stages.stage("cutout"):
            if prompt is not None and request.depth_from is not None:  # its alpha is the mesh's mask
                cutout = cut_along(outline_of_mask(image[..., :3], image[..., 3]), self.config.cutout)
            else:
                cutout = cut_out(read_image(image), self.config.cutout)
        if kept is not None and self.model.guesses_shape:
            with stages.stage("views"):
                multiview = picture_on(kept, cutout, self.config.register)
            given = GivenViews(multiview.source)
            return self._finish(given, multiview, self.config, seed, stages, cutout=cutout, kept=kept)
        with turn(self._drawing, tick, "views"):
            (multiview,) = draw_views(self.model, [cutout], [seed], request, self.config, stages)
        return self._finish(self.model, multiview, self.config, seed, stages, cutout=cutout, kept=kept)

    def from_views(
        self,
        views: MultiView,
        cutout: Cutout | None = None,
        *,
        seed: int = 0,
        seconds: Mapping[str, float] | None = None,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
        on_mesh: Callable[[Mesh], None] = lambda mesh: None,
    ) -> Asset:
        """What is left of a whole run after its views, for views that `views` or `views_together` has drawn.

        Args:
            views: posed views of the object.
            cutout: what they were drawn from, for the asset and its report.
            seed: of the whole run.
            seconds: wall seconds of each stage so far, for the report.
            progress: called with the stage's name and the fraction done.
            cancel: function or `threading.Event` that says when to stop, asked at each tick of the progress.
            on_mesh: called with the closed mesh before it is textured.

        Raises StageFailed when no surface can be made of the views, and Cancelled.
        """
        stages = Stages(cancellable(progress, cancel))
        stages.seconds.update(seconds or {})
        model = self.model if views.source == self.model.name else GivenViews(views.source)
        config = self._config_for(views)
        return self._finish(model, views, config, seed, stages, cutout=cutout, on_mesh=on_mesh)

    def _finish(
        self,
        model: "MultiViewModel | GivenViews",
        multiview: MultiView,
        config: PipelineConfig,
        seed: int,
        stages: Stages,
        *,
        cutout: Cutout | None = None,
        posed: "PosedPictures | None" = None,
        on_mesh: Callable[[Mesh], None] = lambda mesh: None,
        kept: "KeptMesh | None" = None,
    ) -> Asset:
        """From posed views to the asset with its report."""
        made = reconstruct(multiview, config, cutout=cutout, seed=seed, stages=stages, on_mesh=on_mesh, kept=kept)
        with stages.stage("check"):
            checked = made.checked(multiview)
        extras = {"model": model.name, "licence": model.licence, "seed": seed, "version": __version__}
        if note := multiview.note or model.note:
            extras["note"] = note
        report = {
            **extras,
            "rig": multiview.rig,
            "views": len(multiview),
            "source_frame": None if posed is None else posed.report(),
            "cutout": None if cutout is None else cutout.method,
            "warnings": [*(() if cutout is None else cutout.notes), *doubts(checked, multiview)],
            "seconds": dict(stages.seconds),
            **checked,
            "config": describe(config),
            "peak_memory_mb": peak_memory_mb(),
        }
        written = None if kept is None else kept.with_texture(made.textured)
        return Asset(made.textured, made.mesh, multiview, report, extras, cutout, written)

    def cutout(self, image: Any, *, progress: StageProgress | None = None, cancel: Cancel | None = None) -> Cutout:
        """The first stage alone: the object of a picture, centred on a transparent square.

        Raises BadInput when the picture cannot be used or shows no object, and Cancelled.
        """
        with Stages(cancellable(progress, cancel)).stage("cutout"):
            return cut_out(read_image(image), self.config.cutout)

    def views(
        self,
        cutout: Cutout,
        *,
        seed: int = 0,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
        **drawing: Any,
    ) -> MultiView:
        """The second stage alone: posed views of the object by the model.

        Args:
            cutout: the object, see `cutout`.
            seed: fixes every random choice.
            progress: called with the stage's name and the fraction done.
            cancel: function or `threading.Event` that says when to stop.
            drawing: steps, guidance, depth ..., the fields of `zero123pp.pipelines.models.options.Generation`.

        Raises:
            BadInput: an option that the model does not have, or an empty cutout.
            Cancelled: ``cancel`` said so.
        """
        return self.views_together([cutout], seeds=[seed], progress=progress, cancel=cancel, **drawing)[0]

    def views_together(
        self,
        cutouts: Sequence[Cutout],
        *,
        seeds: Sequence[int],
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
        **drawing: Any,
    ) -> list[MultiView]:
        """The second stage for several objects, which a diffusion model draws in one call; `from_views` goes on.

        On a processor the views of an object do not depend on its company; on a GPU they may differ in rounding.

        Args:
            cutouts: the objects.
            seeds: of each; a seed fixes every random choice.
            progress: called with the stage's name and the fraction done of all objects.
            cancel: function or `threading.Event` that says when to stop.
            drawing: the same for all objects: steps, guidance, depth ..., the fields of
                `zero123pp.pipelines.models.options.Generation`.

        Raises:
            BadInput: not as many seeds as cutouts, an option that the model does not have, or an empty cutout.
            Cancelled: ``cancel`` said so.
        """
        if len(cutouts) != len(seeds):
            raise BadInput(f"{len(seeds)} seeds for {len(cutouts)} cutouts; give one each")
        tick = cancellable(progress, cancel)
        request = record_from(Generation, drawing, ModelOptions)
        with turn(self._drawing, tick, "views"):
            prepare(request, self.model)
            return draw_views(self.model, cutouts, seeds, request, self.config, Stages(tick))

    def align_views(
        self,
        views: MultiView,
        *,
        seed: int = 0,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
    ) -> MultiView:
        """Between the second stage and the third: views that contradict each other, warped into agreement.

        Others stay as they are, and so do photographs with measured cameras. `fit` and `texture` should then get the
        same views. Raises StageFailed when no surface can be made of the views, and Cancelled.
        """
        return aligned_views(views, self._config_for(views), seed, Stages(cancellable(progress, cancel)))[0]

    harmonise = align_views
    """What this stage was called before."""

    def fit(
        self,
        views: MultiView,
        *,
        seed: int = 0,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
    ) -> Mesh:
        """The third stage alone: a closed mesh with vertex colours from posed views, whoever made them.

        Raises StageFailed when no surface can be made of the views, and Cancelled.
        """
        return closed_mesh(views, self._config_for(views), seed, Stages(cancellable(progress, cancel)))[0]

    def register_input_view(
        self,
        cutout: Cutout,
        mesh: Mesh,
        views: MultiView,
        *,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
    ) -> MultiView:
        """Between the third stage and the last: the views, and the picture after them where its camera can be told.

        For views of a diffusion model; those of the sources without one hold the picture already and stay as they are.
        """
        stages = Stages(cancellable(progress, cancel))
        return with_input_view(views, mesh, cutout, self._config_for(views), stages)[0]

    place = register_input_view
    """What this stage was called before."""

    def texture(
        self,
        mesh: Mesh,
        views: MultiView,
        *,
        progress: StageProgress | None = None,
        cancel: Cancel | None = None,
    ) -> TexturedMesh:
        """The last stage alone: the mesh unwrapped, with a texture baked from the views.

        Raises StageFailed when the mesh has no surface to paint, and Cancelled.
        """
        from zero123pp.recon.texturing import texture

        with Stages(cancellable(progress, cancel)).stage("texture") as report:
            return texture(mesh, views.views, self._config_for(views).texture, progress=report)[0]

    def _config_for(self, views: MultiView) -> PipelineConfig:
        return self.config if views.source == self.model.name else self.config_of_given

    def _draw(self, source: Source, mesh: Any, seed: int, report: Callable[[float], None]) -> Any:
        from zero123pp.pipelines import models

        common = {"seed": seed, "device": self._device, "allow_download": self._download, "progress": report}
        if mesh is None:
            return models.draw_picture(source.prompt, source.text_model, **common)
        return models.draw_on_mesh(source.prompt, mesh, source.text_model, source.text_controlnet, **common)
