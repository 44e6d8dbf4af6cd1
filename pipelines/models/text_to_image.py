"""A text to the picture that the rest of the pipeline starts from, by any text-to-image checkpoint of diffusers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.diffusion import is_hub_id, quiet_libraries
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models.licences import announce
from zero123pp.recon.ops import device_of

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

DEFAULT_TEXT_MODEL = "stabilityai/stable-diffusion-xl-base-1.0"
"""Licensed CreativeML Open RAIL++-M."""

PROMPT = "{}, one object, whole object in view, centered, plain light gray background, soft even light"
"""What is asked for: the cutout needs an object that touches no border and a background that is easy to remove."""

NEGATIVE_PROMPT = "cropped, cut off, several objects, text, watermark, strong shadow"

INSTALL = "pip install 'zero123pp[diffusion]'"


def draw_picture(
    prompt: str,
    model: str | Path | None = None,
    *,
    seed: int = 0,
    steps: int | None = None,
    device: str = "auto",
    allow_download: bool = False,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Draw what a text says; the model is loaded for this one picture and then let go.

    Args:
        prompt: the object, for example "a toy robot"; it is put into `PROMPT`.
        model: folder or hub id of a diffusers text-to-image checkpoint; None for `DEFAULT_TEXT_MODEL`.
        seed: fixes the picture.
        steps: sampling steps; None for the checkpoint's default.
        device: "auto", "cpu" or "cuda".
        allow_download: whether the hub may be asked for what is not in the cache.
        progress: called with fractions in [0, 1].

    Returns:
        (H, W, 3) uint8.

    Raises:
        BadInput: an empty prompt, or a checkpoint that is not there or draws nothing from a text.
        MissingBackend: torch or diffusers is not installed, or the checkpoint is not here and must not be fetched.
    """
    pipeline, source = load_text_model(prompt, model, device, allow_download)
    return sample(pipeline, source, prompt, seed=seed, steps=steps, progress=progress)


def load_text_model(
    prompt: str, model: str | Path | None, device: str, allow_download: bool
) -> "tuple[DiffusionPipeline, str]":
    """The checkpoint that is to draw ``prompt``, and its name; arguments and errors as of `draw_picture`."""
    if not prompt.strip():
        raise BadInput(f"the prompt is {prompt!r}; say what to draw, for example 'a toy robot'")
    source = str(DEFAULT_TEXT_MODEL if model is None else model)
    try:
        import torch

        with quiet_libraries():
            return _load(torch, source, device, allow_download), source
    except ImportError as error:
        if isinstance(error, MissingBackend):
            raise
        raise MissingBackend(f"--prompt needs {error.name}, which is not installed; {INSTALL}") from error


def sample(
    pipeline: "DiffusionPipeline",
    source: str,
    prompt: str,
    *,
    seed: int,
    steps: int | None = None,
    progress: Callable[[float], None] | None = None,
    **control: object,
) -> np.ndarray:
    """One picture (H, W, 3) uint8 by a loaded pipeline called ``source``; ``control`` are more arguments of its."""
    import torch

    arguments = dict(control)
    if _takes(pipeline, "negative_prompt"):
        arguments["negative_prompt"] = NEGATIVE_PROMPT
    if steps is not None:
        arguments["num_inference_steps"] = steps
    if progress is not None and _takes(pipeline, "callback_on_step_end"):

        def report(running: object, step: int, _timestep: object, _tensors: dict) -> dict:
            progress((step + 1) / max(len(running.scheduler.timesteps), 1))
            return {}

        arguments["callback_on_step_end"] = report
    generator = torch.Generator("cpu").manual_seed(seed)
    pictures = pipeline(PROMPT.format(prompt.strip()), generator=generator, output_type="np", **arguments).images
    picture = np.asarray(pictures[0], np.float32)
    if not np.isfinite(picture).all():
        raise BadInput(f"{source!r} drew a picture of NaN; use another --text-model, or its weights in another type")
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _load(torch: object, source: str, device: str, allow_download: bool) -> object:
    """The pipeline of a folder or hub id: diffusers' own classes only, never code of the checkpoint."""
    from diffusers import AutoPipelineForText2Image

    folder = Path(source).expanduser()
    if not folder.is_dir() and not is_hub_id(source):
        raise BadInput(f"there is no folder {source!r}, and it is no hub id like 'owner/name'")
    place = device_of(device)
    common = {"torch_dtype": torch.float16 if place.type == "cuda" else torch.float32, "use_safetensors": True}
    where = str(folder) if folder.is_dir() else source
    try:
        pipeline = AutoPipelineForText2Image.from_pretrained(where, local_files_only=True, **common)
    except Exception as error:  # the libraries raise nearly every type there is on what is not there or damaged
        if folder.is_dir():
            reason = " ".join(str(error).split())[:200]
            raise BadInput(f"{source!r} is no text-to-image checkpoint of diffusers ({reason})") from error
        if not allow_download:
            raise MissingBackend(
                f"the text model {source!r} is not in the local Hugging Face cache; allow the download, set HF_HOME "
                "to a cache that has it, or give a folder with --text-model"
            ) from error
        pipeline = _download(AutoPipelineForText2Image, source, common)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(place)


def _download(loader: type, source: str, common: dict[str, object]) -> object:
    from huggingface_hub import HfApi

    try:
        card = HfApi().model_info(source, timeout=10).card_data
        announce(source, getattr(card, "license", None))
        return loader.from_pretrained(source, **common)
    except Exception as error:  # transport errors have several unrelated bases, by version of the client
        reason = " ".join(str(error).split())[:200]
        raise MissingBackend(f"the text model {source!r} cannot be fetched from the hub ({reason})") from error


def _takes(pipeline: object, name: str) -> bool:
    import inspect

    return name in inspect.signature(type(pipeline).__call__).parameters
