"""Figures 7 and 8 of the report at small scale: the scale of the reference latents, and the global condition.

Two models with the same initial weights, data, draws and budget differ in one thing only. They are trained by the
trainer's own parts (`zero123pp.train.multiview`) from scratch, where the report fine-tuned Stable Diffusion.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zero123pp.diffusion.latents import decode
from zero123pp.diffusion.pipeline import Zero123PlusPipeline
from zero123pp.images import untile_sheet
from zero123pp.recon.metrics.pictures import decibels
from zero123pp.train.multiview.codec import fit_decoder, set_encoder
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.dataset import Pool, ViewItems
from zero123pp.train.multiview.loop import batch_losses
from zero123pp.train.multiview.objective import clean_of
from zero123pp.train.multiview.scratch import Tiles
from zero123pp.train.multiview.small import SmallModel, small_pipeline
from zero123pp.train.multiview.state import RunState

SIDES = {"30 degrees": (0, 5), "90 degrees": (1, 4), "150 degrees (unseen)": (2, 3)}
"""Tiles of the sheet by angle from the input view."""


@dataclass(frozen=True)
class ConditionConfig:
    """Values of both experiments."""

    tile_px: int = 32
    """Side of one view."""
    channels: tuple[int, ...] = (64, 96)
    """Of the UNet; multiples of 32, the groups of its norms."""
    steps: int = 700
    """Of training, for each of the two models."""
    batch: int = 16
    """Samples a step."""
    learning_rate: float = 2e-3
    """Peak of AdamW's rate."""
    codec_steps: int = 300
    """Steps in which the decoder is fitted."""
    validate_every: int = 100
    """Steps between validations."""
    validation_samples: int = 96
    """Of held-out meshes."""
    first_steps: tuple[int, ...] = (999, 900, 800)
    """Noisy time steps at which whole views are predicted at once and compared."""
    seed: int = 0
    """Of everything."""


def reference_scale(config: ConditionConfig, data: Path) -> dict:
    """Figure 7: reference latents as they leave the VAE, or scaled like the sheet's, about a fifth."""
    factor = new_model(config).vae.config.scaling_factor
    return _arms(config, data, {"reference x5 (as published)": {}, "reference x1": {"reference_scale": factor}})


def global_condition(config: ConditionConfig, data: Path) -> dict:
    """Figure 8: with the image embedding added to the text states, or without."""
    return _arms(config, data, {"with the global condition": {}, "without": {"use_global": False}})


def _arms(config: ConditionConfig, data: Path, arms: dict[str, dict]) -> dict:
    return {"arms": {name: _train(config, data, **changes) for name, changes in arms.items()}}


def new_model(config: ConditionConfig) -> Zero123PlusPipeline:
    """The model before training."""
    shape = SmallModel(tile_px=config.tile_px, channels=config.channels, context=96, vision_layers=3)
    return small_pipeline(shape, config.seed)


def _train(config: ConditionConfig, data: Path, *, reference_scale: float = 1.0, use_global: bool = True) -> dict:
    recipe = ViewsTrainConfig(
        phase="all", start="experiment", steps=config.steps, batch=config.batch, learning_rate=config.learning_rate,
        warmup=50, decay=0.5, ema=0.995, min_snr_floor=0.25, timesteps="even", query_px=(), drop=0.0, balance=0.5,
        train_ramp=use_global, train_vision=use_global, seed=config.seed,
    )  # fmt: skip
    pipeline = new_model(config)
    tiles = Tiles(data, recipe, config.tile_px)
    set_encoder(pipeline.vae, tiles(0, 64))
    fit_decoder(pipeline.vae, lambda step: tiles(step + 1, 2), config.codec_steps)
    if not use_global:
        pipeline.register_to_config(ramping_coefficients=[0.0] * len(pipeline.config.ramping_coefficients))
    with tempfile.TemporaryDirectory() as folder:
        state = RunState(pipeline, Path(folder, "checkpoint.pt"), recipe, torch.device("cpu"))
    state.frozen.reference_scale = reference_scale
    items = ViewItems(Pool(data, held_out=False, balance=0.5), state.geometry, recipe, group=config.batch)
    unseen = ViewItems(Pool(data, held_out=True), state.geometry, recipe, group=config.batch, stream=1)
    found = {"samples": [], "val_mse": []}
    for step in range(config.steps):
        numbers = range(step * config.batch, (step + 1) * config.batch)
        losses = batch_losses(state.denoiser, state, torch.utils.data.default_collate([items[i] for i in numbers]))
        losses["loss"].backward()
        state.weights.update(recipe.rate(step))
        if (step + 1) % config.validate_every == 0:
            found["samples"].append((step + 1) * config.batch)
            found["val_mse"].append(round(_validate(state, unseen, config), 5))
    return found | {"psnr_by_side": _psnr_by_side(state, unseen, config)}


@torch.no_grad()
def _validate(state: RunState, items: ViewItems, config: ConditionConfig) -> float:
    """Error of v, all noise levels alike, over the same draws each time."""
    values = []
    with state.weights.averaged():
        for first in range(0, config.validation_samples, config.batch):
            batch = torch.utils.data.default_collate([items[i] for i in range(first, first + config.batch)])
            values.append(float(batch_losses(state.denoiser, state, batch)["mse"]))
    return sum(values) / len(values)


@torch.no_grad()
def _psnr_by_side(state: RunState, items: ViewItems, config: ConditionConfig) -> dict[str, float]:
    """PSNR of views predicted in one step from almost pure noise, by angle from the input."""
    errors: dict[str, list[float]] = {side: [] for side in SIDES}
    with state.weights.averaged():
        for first in range(0, config.validation_samples, config.batch):
            batch = torch.utils.data.default_collate([items[i] for i in range(first, first + config.batch)])
            for time in config.first_steps:
                noised = state.frozen(batch | {"timestep": torch.full((config.batch,), time)})
                predicted = state.denoiser(**noised.inputs).float()
                clean = clean_of("v", predicted, noised.inputs["noised"], noised.sigma)
                squared = (decode(state.frozen.vae, clean) - batch["target"]).square().mean(1)
                for side, places in SIDES.items():
                    for sheet in squared.numpy():
                        found = untile_sheet(sheet[..., None])[list(places)].mean()
                        errors[side].append(decibels(found))
    return {side: round(float(np.mean(each)), 3) for side, each in errors.items()}
