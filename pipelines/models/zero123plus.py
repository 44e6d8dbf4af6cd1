"""Zero123++ as a source of views: the official checkpoints by name, or any checkpoint by folder or hub id."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.diffusion import hub
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import expanded
from zero123pp.images import tile_sheet
from zero123pp.pipelines.inputs import views_from_sheet
from zero123pp.pipelines.models import controlnets, licences, to_device
from zero123pp.pipelines.models.contract import MultiViewModel
from zero123pp.pipelines.models.groups import Progress, in_groups, part
from zero123pp.pipelines.models.options import BACKGROUNDS, ModelOptions
from zero123pp.pipelines.models.refiner import Refiner, larger_tiles, load_refiner
from zero123pp.pipelines.models.registry import MODELS
from zero123pp.recon.ops import device_of
from zero123pp.types import Cutout, MultiView

if TYPE_CHECKING:
    from zero123pp.diffusion import Zero123PlusPipeline

OFFICIAL = {
    "zero123plus-v1.1": "sudo-ai/zero123plus-v1.1",
    "zero123plus-v1.2": "sudo-ai/zero123plus-v1.2",
}
"""Names of the released checkpoints, and where they are on the hub."""

DEFAULT_STEPS = 28
"""Enough with "trailing" time steps for most objects; 75 to 100 help faces and fine detail."""

DEFAULT_GUIDANCE = 4.0
"""The strength of guidance that the authors use."""

INSTALL = "pip install 'zero123pp[diffusion]'"


def is_cached(name: str) -> bool:
    """Whether a model can be loaded without a download: a complete folder, or complete in the Hugging Face cache.

    Needs no network, and imports neither torch nor diffusers.
    """
    source = OFFICIAL.get(name, name)
    if expanded(source).is_dir():
        return not hub.missing_files(expanded(source), hub.PIPELINE)
    return hub.is_hub_id(source) and hub.cached_folder(source, hub.PIPELINE) is not None


class Zero123PlusModel(MultiViewModel):
    """A loaded Zero123++ checkpoint that draws six views on its rig."""

    loading_options = frozenset(field.name for field in fields(ModelOptions))
    controls = frozenset({"depth", "normals"})
    libraries = ("torch", "diffusers", "transformers", "pymatting")
    draws_together = True

    def __init__(self, pipeline: "Zero123PlusPipeline", *, name: str, licence: str, options: ModelOptions):
        self.pipeline = pipeline
        self.name = name
        """As asked for: a name of `OFFICIAL`, a hub id or a folder."""
        self.licence = licence
        """Licence of the weights, for reports and exported files."""
        self._options = options
        self._controlled: dict[str, Zero123PlusPipeline] = {}
        self._refiner: Refiner | None = None

    @property
    def rig(self) -> str:
        """Name of the camera rig of the sheets."""
        return self.pipeline.rig

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of the sheets, px."""
        return 2 * self.pipeline.tile_size, 3 * self.pipeline.tile_size

    @classmethod
    def load(cls, name: str, options: ModelOptions) -> "Zero123PlusModel":
        """The checkpoint called ``name``, see `from_pretrained`."""
        return cls.from_pretrained(name, **vars(options))

    @classmethod
    def weights(cls, name: str, revision: str | None = None) -> Path | str:
        """The checkpoint's folder, or its commit in the Hugging Face cache."""
        source = OFFICIAL.get(name, name)
        if (folder := expanded(source)).is_dir():
            if not (folder / "model_index.json").is_file():
                raise BadInput(f"{source!r} is no {hub.PIPELINE}: model_index.json is missing in it")
            return folder
        if not hub.is_hub_id(source):
            raise BadInput(f"there is no model {name!r}; choose {', '.join(MODELS)}, a checkpoint folder or a hub id")
        folder = hub.cached_folder(source, hub.PIPELINE, revision=revision)
        if folder is None:
            raise MissingBackend(f"{name!r} is not on this machine; make one picture with --download first")
        return folder.name

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str = "auto", dtype: str = "auto", allow_download: bool = False, **more: object
    ) -> "Zero123PlusModel":
        """Load a checkpoint and set it up as recommended: "trailing" steps.

        Args:
            name: a name of `OFFICIAL`, a folder, or a hub id.
            device: see `ModelOptions`, as all that follow.
            dtype: likewise.
            allow_download: likewise.
            more: the other fields of `ModelOptions`.

        Raises:
            BadInput: no such checkpoint, or it cannot be used; or no such device or type.
            MissingBackend: torch or diffusers is not installed, or the checkpoint is not here and must not be fetched.
        """
        options = ModelOptions(device, dtype, allow_download, **more)
        source = OFFICIAL.get(str(name), str(name))
        try:
            import torch

            from zero123pp.diffusion import Zero123PlusPipeline, trailing_sampler
        except ImportError as error:
            raise MissingBackend(f"{str(name)!r} needs {error.name}, which is not installed; {INSTALL}") from error
        device = device_of(options.device)
        to_device.check(device, options)
        pipeline = Zero123PlusPipeline.from_pretrained(
            source,
            torch_dtype=_dtype(torch, device, options.dtype if options.quantize == "none" else "float32"),
            unet_file=options.unet,
            input_background=None if options.unet is None else BACKGROUNDS[options.unet_background],
            revision=options.revision,
            local_files_only=not options.allow_download,
            on_download=licences.announce,
        )
        pipeline.scheduler = trailing_sampler(options.sampler, pipeline.scheduler)
        pipeline.set_progress_bar_config(disable=True)  # progress is reported to the caller instead
        to_device.to_device(pipeline, device, options)
        if device.type == "cpu":
            pipeline.accelerate()
        if options.quantize != "none":
            pipeline.quantize()
        if options.dtype == "auto" and device.type == "cpu":
            # The decoder writes 8-bit pixels; bfloat16 would round them to about as many levels.
            torch.nn.Module.to(pipeline.vae, torch.float32)  # diffusers' own would warn of every change of type
        licence = licences.licence_of(source)
        if options.unet is not None:
            licence = f"{licence}; UNet of {Path(options.unet).name}: {licences.OTHER}"
        return cls(pipeline, name=str(name), licence=licence, options=options)

    def check_controls(self, *, depth: bool = False, normals: bool = False) -> None:
        """Load the refiner and the ControlNets that `generate` will need, so that what is missing is known early.

        Raises:
            BadInput: there is none for the rig, or it belongs to another rig or network.
            MissingBackend: it is not here and must not be fetched.
        """
        if self._options.refiner is not None and self._refiner is None:
            self._refiner = load_refiner(self._options.refiner, self._options, self.pipeline.unet.dtype)
        if depth and "depth" not in self._controlled:
            self._controlled["depth"] = controlnets.with_depth_control(
                self.pipeline, self._options.controlnet, allow_download=self._options.allow_download
            )
        if normals and "normals" not in self._controlled:
            from zero123pp.diffusion import shipped_euler_ancestral

            generator = controlnets.with_normal_generator(
                self.pipeline, self._options.normal_controlnet, allow_download=self._options.allow_download
            )
            generator.scheduler = shipped_euler_ancestral(generator.scheduler)
            self._controlled["normals"] = generator

    def generate(
        self, cutout: Cutout, *, seed: int = 0, depth: np.ndarray | None = None, **options: object
    ) -> MultiView:
        """The views of one object; ``options`` as of `generate_many`."""
        depths = None if depth is None else [depth]
        return self.generate_many([cutout], seeds=[seed], depths=depths, **options)[0]

    def generate_many(
        self,
        cutouts: Sequence[Cutout],
        *,
        seeds: Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
        progress: Progress | None = None,
        depths: Sequence[np.ndarray] | None = None,
        depth_scale: float = controlnets.DEPTH_SCALE,
        with_normals: bool = False,
    ) -> list[MultiView]:
        """The six views of `generate_sheet` of each object, cut out of their background and posed.

        On a GPU all sheets are drawn together, or as many as there is memory for; a sheet may then differ in rounding
        from one that is drawn alone. On a processor they are drawn in turn, and do not depend on their company.

        Args:
            cutouts: the objects, each centred on a square.
            seeds: of each; a seed fixes the sheet.
            steps: sampling steps; None for `DEFAULT_STEPS`.
            guidance: strength of the classifier-free guidance; None for `DEFAULT_GUIDANCE`.
            progress: called with fractions in [0, 1].
            depths: control sheet of each, see `generate_sheet`.
            depth_scale: weight of that control.
            with_normals: draw the normals of the views as well; the alpha then comes from them, and they stay in the
                views for the reconstruction.

        Raises:
            BadInput: nothing is on one of the sheets, or the lists are not of one length.
        """
        first = fine = 0.25 if with_normals else 1.0
        if self._options.refiner is not None:
            self.check_controls()
            first *= 0.6
        sheets = self._sheets(cutouts, seeds, steps, guidance, part(progress, 0, first), depths, depth_scale)
        finer = sheets
        if self._options.refiner is not None:
            finer = self._refiner(sheets, cutouts, seeds, part(progress, first, fine))
        if not with_normals:
            by = self._options.sheet_alpha
            return [views_from_sheet(sheet, self.rig, source=self.name, alpha_by=by) for sheet in finer]
        from zero123pp.pipelines.models.normal_matting import matte_from_normals

        drawn = self._normals(cutouts, sheets, seeds, steps, guidance, part(progress, fine, 1))
        views = []
        for sheet, normal_sheet in zip(finer, drawn):
            if sheet.shape != normal_sheet.shape:  # drawn over in larger tiles, of which nothing draws normals
                normal_sheet = tile_sheet(larger_tiles(normal_sheet, sheet.shape[1] // 2))
            cut, normals = matte_from_normals(sheet, normal_sheet)
            views.append(replace(views_from_sheet(cut, self.rig, normals=normals, source=self.name), sheet=sheet))
        return views

    def generate_sheet(
        self,
        cutout: Cutout,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Progress | None = None,
        depth: np.ndarray | None = None,
        depth_scale: float = controlnets.DEPTH_SCALE,
    ) -> np.ndarray:
        """Draw the six views of a cut-out object.

        Args:
            cutout: the object, centred on a square.
            seed: fixes the sheet.
            steps: sampling steps; None for `DEFAULT_STEPS`.
            guidance: strength of the classifier-free guidance; None for `DEFAULT_GUIDANCE`.
            progress: called with fractions in [0, 1].
            depth: control sheet (3 S, 2 S, 3 or 4) uint8 of the same layout, near black, far white, transparent (or
                gray 127) where there is no object; see `zero123pp.pipelines.models.depth_control.depth_sheet`.
            depth_scale: weight of that control.

        Returns:
            Sheet (3 S, 2 S, 3) uint8 of tiles of the checkpoint's size S, on a plain background.
        """
        depths = None if depth is None else [depth]
        return self._sheets([cutout], [seed], steps, guidance, progress, depths, depth_scale)[0]

    def generate_normals(
        self,
        cutout: Cutout,
        sheet: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Draw the view-space normals of a ``sheet`` that was drawn of the same cutout.

        Returns:
            Sheet (3 S, 2 S, 3) uint8, n = 2 px / 255 - 1 (x right, y up, z towards the viewer), on gray.
        """
        return self._normals([cutout], [sheet], [seed], steps, guidance, progress)[0]

    def _sheets(
        self,
        cutouts: Sequence[Cutout],
        seeds: Sequence[int],
        steps: int | None,
        guidance: float | None,
        progress: Progress | None,
        depths: Sequence[np.ndarray] | None,
        depth_scale: float,
    ) -> list[np.ndarray]:
        if depths is not None:
            self.check_controls(depth=True)
            control = {"controls": depths, "scale": depth_scale}
            return self._run(self._controlled["depth"], cutouts, seeds, steps, guidance, progress, **control)
        plain = self.pipeline
        if plain.controlnet is not None:  # a checkpoint that brings its own can do without as well
            plain = plain.with_controlnet(None)
        return self._run(plain, cutouts, seeds, steps, guidance, progress)

    def _normals(
        self,
        cutouts: Sequence[Cutout],
        sheets: Sequence[np.ndarray],
        seeds: Sequence[int],
        steps: int | None,
        guidance: float | None,
        progress: Progress | None,
    ) -> list[np.ndarray]:
        self.check_controls(normals=True)
        steps = controlnets.NORMAL_STEPS if steps is None else steps
        control = {"controls": sheets, "scale": controlnets.NORMAL_SCALE}
        return self._run(self._controlled["normals"], cutouts, seeds, steps, guidance, progress, **control)

    def _run(
        self,
        pipeline: "Zero123PlusPipeline",
        cutouts: Sequence[Cutout],
        seeds: Sequence[int],
        steps: int | None,
        guidance: float | None,
        progress: Progress | None,
        *,
        controls: Sequence[np.ndarray] | None = None,
        scale: float = 1.0,
    ) -> list[np.ndarray]:
        """One sheet of each cutout, under its control sheet where there are any."""
        import torch

        counts = {"cutouts": len(cutouts), "seeds": len(seeds)}
        counts |= {} if controls is None else {"control sheets": len(controls)}
        if len(set(counts.values())) > 1:
            raise BadInput(f"{', '.join(f'{n} {what}' for what, n in counts.items())}; give as many of each")
        steps = DEFAULT_STEPS if steps is None else steps
        guidance = DEFAULT_GUIDANCE if guidance is None else guidance

        def draw(rows: slice, progress: Progress | None) -> list[np.ndarray]:
            def report(_pipeline: object, step: int, _timestep: object, _tensors: dict) -> None:
                if progress is not None:
                    progress((step + 1) / steps)

            control = {}
            if controls is not None:
                control = {"depth_image": list(controls[rows]), "controlnet_conditioning_scale": scale}
            sheets = pipeline(
                [np.asarray(cutout.rgba) for cutout in cutouts[rows]],
                num_inference_steps=steps,
                guidance_scale=guidance,
                # A generator each, so that a sheet is the same in any company.
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds[rows]],
                callback_on_step_end=report,
                guidance_interval=self._options.guidance_interval,
                cache_interval=self._options.cache_interval,
                **control,
            ).images
            return [np.asarray(sheet) for sheet in sheets]

        return in_groups(draw, len(cutouts), progress)


def _dtype(torch: object, device: object, name: object) -> object:
    """The torch type called ``name``; "auto" takes the fastest that the device computes in."""
    name = str(name).removeprefix("torch.")
    if name == "auto":
        from zero123pp.diffusion.cpu import has_bfloat16

        name = "float16" if device.type == "cuda" else "bfloat16" if has_bfloat16() else "float32"
    if name not in ("float32", "float16", "bfloat16"):
        raise BadInput(f"dtype is {name!r}; choose 'auto', 'float32', 'float16' or 'bfloat16'")
    return getattr(torch, name)
