"""Checkpoints of diffusers' own pipelines, whatever their class: opened, and called in one way."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zero123pp.diffusion import is_hub_id, quiet_libraries
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import expanded
from zero123pp.images import to_uint8
from zero123pp.pipelines.models.licences import announce
from zero123pp.recon.ops import device_of


@dataclass(frozen=True)
class Task:
    """What a checkpoint is asked to do."""

    loader: str
    """Class of diffusers that finds the checkpoint's own one."""
    does: str
    name: str
    """Of the model, in messages."""
    flag: str
    """That takes its folder."""


TEXT_TO_IMAGE = Task("AutoPipelineForText2Image", "text-to-image", "text model", "--text-model")
IMAGE_TO_IMAGE = Task("AutoPipelineForImage2Image", "image-to-image", "refiner", "--refiner")


def open_checkpoint(source: str, task: Task, *, device: str, allow_download: bool) -> object:
    """The pipeline of a folder or hub id on its device: diffusers' own classes only, never code of the checkpoint.

    Raises:
        BadInput: no such folder, or a checkpoint that does something else.
        MissingBackend: it is not here and must not be fetched.
        ImportError: a library is not installed.
    """
    import diffusers
    import torch

    folder = expanded(source)
    if not folder.is_dir() and not is_hub_id(source):
        raise BadInput(f"there is no folder {source!r}, and it is no hub id like 'owner/name'")
    place, loader = device_of(device), getattr(diffusers, task.loader)
    common = {"torch_dtype": torch.float16 if place.type == "cuda" else torch.float32, "use_safetensors": True}
    where = str(folder) if folder.is_dir() else source
    with quiet_libraries():
        try:
            pipeline = loader.from_pretrained(where, local_files_only=True, **common)
        except Exception as error:  # the libraries raise nearly every type there is on what is not there or damaged
            if folder.is_dir():
                reason = " ".join(str(error).split())[:200]
                raise BadInput(f"{source!r} is no {task.does} checkpoint of diffusers ({reason})") from error
            if not allow_download:
                raise MissingBackend(
                    f"the {task.name} {source!r} is not in the local Hugging Face cache; allow the download, set "
                    f"HF_HOME to a cache that has it, or give a folder with {task.flag}"
                ) from error
            pipeline = _download(loader, source, task, common)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(place)


def _download(loader: type, source: str, task: Task, common: dict[str, object]) -> object:
    from huggingface_hub import HfApi

    try:
        card = HfApi().model_info(source, timeout=10).card_data
        announce(source, getattr(card, "license", None))
        return loader.from_pretrained(source, **common)
    except Exception as error:  # transport errors have several unrelated bases, by version of the client
        reason = " ".join(str(error).split())[:200]
        raise MissingBackend(f"the {task.name} {source!r} cannot be fetched from the hub ({reason})") from error


def takes(pipeline: object, name: str) -> bool:
    """Whether a call of the pipeline has an argument of that name."""
    return name in inspect.signature(type(pipeline).__call__).parameters


def reported(pipeline: object, progress: Callable[[float], None] | None, steps: int | None = None) -> dict[str, object]:
    """The argument that tells ``progress`` of each of ``steps`` (None: the scheduler's), where the pipeline has one."""
    if progress is None or not takes(pipeline, "callback_on_step_end"):
        return {}

    def report(running: object, step: int, _timestep: object, _tensors: dict) -> dict:
        progress(min(1.0, (step + 1) / max(steps or len(running.scheduler.timesteps), 1)))
        return {}

    return {"callback_on_step_end": report}


def finite_picture(picture: np.ndarray, source: str, task: Task) -> np.ndarray:
    """A picture (H, W, 3) in [0, 1] as uint8; BadInput where it holds NaN."""
    if not np.isfinite(picture).all():
        raise BadInput(f"{source!r} drew a picture of NaN; use another {task.flag}, or its weights in another type")
    return to_uint8(picture)
