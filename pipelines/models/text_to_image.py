"""A text to the picture that the rest of the pipeline starts from, by any text-to-image checkpoint of diffusers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models.any_checkpoint import TEXT_TO_IMAGE, finite_picture, open_checkpoint, reported, takes

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
        return open_checkpoint(source, TEXT_TO_IMAGE, device=device, allow_download=allow_download), source
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
    if takes(pipeline, "negative_prompt"):
        arguments["negative_prompt"] = NEGATIVE_PROMPT
    if steps is not None:
        arguments["num_inference_steps"] = steps
    arguments |= reported(pipeline, progress)
    generator = torch.Generator("cpu").manual_seed(seed)
    pictures = pipeline(PROMPT.format(prompt.strip()), generator=generator, output_type="np", **arguments).images
    return finite_picture(pictures[0], source, TEXT_TO_IMAGE)
