"""A checkpoint of training as a folder in the public layout."""

from pathlib import Path
from typing import Any

import torch

from zero123pp.diffusion import Zero123PlusPipeline
from zero123pp.errors import BadInput
from zero123pp.files import whole_folder
from zero123pp.train import WEIGHT_ERRORS
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.denoiser import ViewDenoiser
from zero123pp.train.multiview.phases import CONTROLLED, REFINING
from zero123pp.train.multiview.state import geometry_of, new_controlnet


@torch.no_grad()
def export_model(
    pipeline: Zero123PlusPipeline,
    checkpoint: dict[str, Any],
    config: ViewsTrainConfig,
    folder: Path,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write the running means over the start's weights; the folder appears whole or not at all.

    Args:
        pipeline: the start in single precision. Frozen weights are taken from it, so that the low precision of training
            does not touch them. It is used up.
        checkpoint: from `zero123pp.train.weights.load_checkpoint`.
        config: of the run.
        folder: receives a Zero123++ checkpoint, or the folder of a ControlNet where one was trained.
        dtype: of the weights.

    Raises:
        BadInput: the checkpoint belongs to another start, or predicts what no pipeline samples.
    """
    known = ("epsilon", "v") if config.phase in REFINING else ("v",)
    if config.prediction not in known:
        raise BadInput(f"the run predicts {config.prediction}; the public layout is that of {' or '.join(known)}")
    controlnet = new_controlnet(pipeline, config.seed) if config.phase in CONTROLLED else None
    ramp = torch.tensor(pipeline.config.ramping_coefficients)
    denoiser = ViewDenoiser(pipeline.unet, pipeline.vision_encoder, ramp, controlnet)
    here = dict(denoiser.named_parameters())
    for name, value in checkpoint["mean"].items():
        if name not in here or here[name].shape != value.shape:
            raise BadInput(f"the checkpoint trained {name}, which its start does not have in that shape")
        here[name].copy_(value)
    if controlnet is not None:
        model = torch.nn.Module.to(controlnet, dtype)  # diffusers' own warns of nothing
    else:
        tile = geometry_of(pipeline, config).tile_px
        model = _with(pipeline, denoiser.ramp.tolist(), tile, config.background, dtype)
        if config.phase in REFINING:
            model.set_defaults({"mode": config.refines, "strength": config.strength})
    with whole_folder(folder, errors=WEIGHT_ERRORS) as temporary:
        model.save_pretrained(temporary)
    return folder


def _with(
    pipeline: Zero123PlusPipeline, ramp: list[float], tile: int, background: int, dtype: torch.dtype
) -> Zero123PlusPipeline:
    parts = pipeline.components | {"controlnet": None}
    for name in ("unet", "vae", "text_encoder", "vision_encoder"):
        torch.nn.Module.to(parts[name], dtype)
    return type(pipeline)(
        **parts, ramping_coefficients=ramp, rig=pipeline.config.rig, tile_size=tile, input_background=background
    )
