"""The weights that training starts from, as a pipeline: Zero123++ itself, or Stable Diffusion 2 made ready for it."""

from pathlib import Path

import diffusers
import torch
import transformers

from zero123pp.diffusion import (
    ImagePreprocessor,
    SheetRefinerPipeline,
    Zero123PlusPipeline,
    hub,
    loading,
    refiner_of,
)
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import expanded
from zero123pp.train.multiview.objective import Prediction

_SDXL = "StableDiffusionXLPipeline"

CLIP_PIXELS = ImagePreprocessor(
    224, (224, 224), 3, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
)
"""``feature_extractor_clip`` of the published checkpoints: CLIP's own statistics."""

VAE_PIXELS = ImagePreprocessor(512, (512, 512), 2, 0.5, 0.8)
"""``feature_extractor_vae`` of the published checkpoints; 0.8 is the image scale of `zero123pp.diffusion.latents`."""

SCHEDULE = {
    "beta_schedule": "linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "steps_offset": 1,
    "timestep_spacing": "linspace",
}
"""Stable Diffusion's range of betas, but linear in t (report, section 2.3), so that more steps are noisy."""


def initial_ramp(tokens: int) -> list[float]:
    """FlexDiffuse's start: ``w_i = i / L`` for i = 1 ... L (report, section 2.4)."""
    return [(i + 1) / tokens for i in range(tokens)]


def new_scheduler() -> diffusers.EulerAncestralDiscreteScheduler:
    """The scheduler of the published checkpoints."""
    return diffusers.EulerAncestralDiscreteScheduler(**SCHEDULE)


def open_start(
    source: str, *, vision: str, download: bool = False, predicts: Prediction | None = None
) -> Zero123PlusPipeline:
    """A pipeline in float32 to train.

    Args:
        source: folder or hub id of a Zero123++ checkpoint, or of a Stable Diffusion one in diffusers' layout.
        vision: the image encoder that Stable Diffusion is joined with.
        download: whether the hub may be asked for what is not in the cache.
        predicts: what a refiner is to predict, which is then made of the start; None for Zero123++ itself.

    Raises:
        BadInput: it is neither of the two, or the parts do not fit.
        MissingBackend: not here, and not to be fetched.
    """
    if not source:
        raise BadInput("training needs weights to start from; set start=FOLDER|HUB_ID, or take the preset mini")
    index = loading.read_json(_fetched(source, "model_index.json", download))
    name = index.get("_class_name")
    if "ramping_coefficients" in index:
        kind = SheetRefinerPipeline if name == loading.REFINER and predicts else Zero123PlusPipeline
        pipeline = kind.from_pretrained(source, local_files_only=not download)
    elif name == "StableDiffusionPipeline":
        pipeline = _from_stable_diffusion(source, vision, download, predicts)
    else:
        also = "; the text states of SDXL are not those of CLIP's picture" if name == _SDXL else ""
        raise BadInput(f"{source!r} is a {name}; expected Zero123++ or Stable Diffusion 1 or 2{also}")
    return pipeline if predicts is None else refiner_of(pipeline, predicts)


def _fetched(source: str, name: str, download: bool) -> Path:
    """One file of a folder or of the hub's repository."""
    folder = expanded(source)
    if folder.is_dir():
        return folder / name
    if not hub.is_hub_id(source):
        raise BadInput(f"there is no folder {source!r}, and it is no hub id like 'owner/name'")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, name, local_files_only=not download))
    except Exception as error:  # transport errors have several unrelated bases, by version of the client
        raise MissingBackend(
            f"{source!r} is not in the local Hugging Face cache ({type(error).__name__}); allow the download with "
            "--download, or give its folder"
        ) from error


def _from_stable_diffusion(
    source: str, vision: str, download: bool, predicts: Prediction | None
) -> Zero123PlusPipeline:
    """Stable Diffusion with CLIP's image encoder, the linear schedule and FlexDiffuse's initial ramp."""
    common = {"torch_dtype": torch.float32, "local_files_only": not download}
    try:
        base = diffusers.StableDiffusionPipeline.from_pretrained(
            source, safety_checker=None, requires_safety_checker=False, **common
        )
        encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(vision, **common)
    except Exception as error:  # the libraries raise nearly every type there is on what is not there or damaged
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"{source!r} and {vision!r} cannot be joined ({type(error).__name__}: {reason})") from error
    own = "v" if base.scheduler.config.get("prediction_type") == "v_prediction" else "epsilon"
    if predicts is not None and predicts != own:
        raise BadInput(
            f"{source!r} predicts {own}, and its refiner is to predict {predicts}; take one that predicts noise, such "
            f"as stabilityai/stable-diffusion-2-base, or set prediction={own}"
        )
    wide = base.unet.config.cross_attention_dim
    channels = (base.text_encoder.config.hidden_size, encoder.config.projection_dim, wide)
    if len(set(channels)) > 1:
        raise BadInput(
            f"text states have {channels[0]} channels, {vision!r} projects to {channels[1]}, the UNet takes "
            f"{wide}; expected the same number (1024 with Stable Diffusion 2 and CLIP ViT-H/14)"
        )
    return Zero123PlusPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=base.unet,
        scheduler=new_scheduler(),
        vision_encoder=encoder,
        feature_extractor_clip=CLIP_PIXELS,
        feature_extractor_vae=VAE_PIXELS,
        ramping_coefficients=initial_ramp(base.text_encoder.config.max_position_embeddings),
    )
