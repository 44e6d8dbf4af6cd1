"""Zero123++ as a source of views: the official checkpoints by name, or any checkpoint by folder or hub id."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.diffusion import hub
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.sheets import views_from_sheet
from zero123pp.types import Cutout, MultiView

if TYPE_CHECKING:
    from zero123pp.diffusion.pipeline import Zero123PlusPipeline

OFFICIAL = {
    "zero123plus-v1.1": "sudo-ai/zero123plus-v1.1",
    "zero123plus-v1.2": "sudo-ai/zero123plus-v1.2",
}
"""Names of the released checkpoints, and where they are on the hub."""

OFFICIAL_LICENCE = "CC-BY-NC 4.0 (weights; no commercial use)"
OTHER_LICENCE = "as stated by the checkpoint's publisher"

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
    if Path(source).expanduser().is_dir():
        return not hub.missing_files(Path(source).expanduser(), hub.PIPELINE)
    return hub.is_hub_id(source) and hub.cached_folder(source, hub.PIPELINE) is not None


class Zero123PlusModel:
    """A loaded Zero123++ checkpoint that draws six views on its rig: a `zero123pp.pipelines.models.MultiViewModel`."""

    note = ""
    overrides = ()

    def __init__(self, pipeline: "Zero123PlusPipeline", *, name: str, licence: str):
        self.pipeline = pipeline
        self.name = name
        """As asked for: a name of `OFFICIAL`, a hub id or a folder."""
        self.licence = licence
        """Licence of the weights, for reports and exported files."""

    @property
    def rig(self) -> str:
        """Name of the camera rig of the sheets."""
        return self.pipeline.rig

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str = "auto", dtype: str = "auto", allow_download: bool = False
    ) -> "Zero123PlusModel":
        """Load a checkpoint and set it up as recommended: Euler ancestral with "trailing" steps.

        Args:
            name: a name of `OFFICIAL`, a folder, or a hub id.
            device: "cpu", "cuda" or any of torch's; "auto" for cuda where there is one.
            dtype: "float32", "float16", "bfloat16"; "auto" for float16 on cuda, float32 elsewhere.
            allow_download: whether the hub may be asked for what is not in the cache.

        Raises:
            BadInput: no such checkpoint, or it cannot be used; or no such device or type.
            MissingBackend: torch or diffusers is not installed, or the checkpoint is not here and must not be fetched.
        """
        source = OFFICIAL.get(str(name), str(name))
        try:
            import torch

            from zero123pp.diffusion.pipeline import Zero123PlusPipeline
            from zero123pp.diffusion.schedule import trailing_euler_ancestral
        except ImportError as error:
            raise MissingBackend(f"{str(name)!r} needs {error.name}, which is not installed; {INSTALL}") from error
        device, dtype = _device(torch, device), str(dtype).removeprefix("torch.")
        if dtype == "auto":
            dtype = "float16" if device.type == "cuda" else "float32"
        if dtype not in ("float32", "float16", "bfloat16"):
            raise BadInput(f"dtype is {dtype!r}; choose 'auto', 'float32', 'float16' or 'bfloat16'")
        pipeline = Zero123PlusPipeline.from_pretrained(
            source, torch_dtype=getattr(torch, dtype), local_files_only=not allow_download
        )
        pipeline.scheduler = trailing_euler_ancestral(pipeline.scheduler)
        pipeline.set_progress_bar_config(disable=True)  # progress is reported to the caller instead
        pipeline.to(device)
        licence = OFFICIAL_LICENCE if source in OFFICIAL.values() else OTHER_LICENCE
        return cls(pipeline, name=str(name), licence=licence)

    def generate(
        self,
        cutout: Cutout,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> MultiView:
        """The six views of `generate_sheet`, cut out of their gray and posed; BadInput when nothing is on them."""
        sheet = self.generate_sheet(cutout, seed=seed, steps=steps, guidance=guidance, progress=progress)
        return views_from_sheet(sheet, self.rig, source=self.name)

    def generate_sheet(
        self,
        cutout: Cutout,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> np.ndarray:
        """Draw the six views of a cut-out object.

        Args:
            cutout: the object, centred on a square.
            seed: fixes the sheet.
            steps: sampling steps; None for `DEFAULT_STEPS`.
            guidance: strength of the classifier-free guidance; None for `DEFAULT_GUIDANCE`.
            progress: called with fractions in [0, 1].

        Returns:
            Sheet (3 S, 2 S, 3) uint8 of tiles of the checkpoint's size S, on gray.
        """
        import torch

        steps = DEFAULT_STEPS if steps is None else steps
        guidance = DEFAULT_GUIDANCE if guidance is None else guidance

        def report(_pipeline: object, step: int, _timestep: object, _tensors: dict) -> None:
            if progress is not None:
                progress((step + 1) / steps)

        generator = torch.Generator("cpu").manual_seed(seed)
        sheets = self.pipeline(
            np.asarray(cutout.rgba),
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=generator,
            callback_on_step_end=report,
        ).images
        return np.asarray(sheets[0])


def _device(torch: object, name: str) -> object:
    """The torch device called ``name``."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"there is no device {name!r}; choose 'auto', 'cpu' or 'cuda'") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device {name!r} was asked for, but torch {torch.__version__} finds no CUDA device; use 'cpu'")
    return device
