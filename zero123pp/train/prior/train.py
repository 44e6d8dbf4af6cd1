"""The training loop of the shape prior: resumable, on a CPU or a GPU."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from zero123pp.files import make_folder
from zero123pp.recon.prior import ELEVATION_UNIT_DEG, ShapePrior
from zero123pp.train import Recipe, TrainedWeights, append_log
from zero123pp.train.prior.dataset import Batch, Batches, Passes
from zero123pp.train.prior.losses import prior_losses, weighted
from zero123pp.train.prior.samples import SampleConfig


@dataclass(frozen=True)
class PriorTrainConfig(Recipe):
    """Recipe of the shape prior. A step's samples all have the same number of views."""

    steps: int = 30_000
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    stages: tuple[tuple[int, int, int], ...] = ((12_000, 64, 24), (24_000, 96, 24), (0, 128, 32))
    """Up to which step (0: to the end), px of the pictures, and voxels along an axis of the grid. The network is the
    same at every size, and what objects look like is learned several times cheaper from small pictures. Grids below
    24 are no gain: where a level has 2^3 voxels, gradients of 3-wide convolutions in bfloat16 hold garbage on CPUs
    (torch 2.13)."""
    validate_every: int = 400
    """Steps between validations."""


def train(
    data: str | Path,
    lights: np.ndarray,
    folder: str | Path,
    config: PriorTrainConfig = PriorTrainConfig(),
    *,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Train, or go on from the checkpoint in ``folder``.

    Args:
        data: folder of ``run.py render shapes``.
        lights: (N, 9, 3) irradiance of environments, see `zero123pp.train.prior.lighting`.
        folder: receives ``checkpoint.pt`` and ``log.jsonl``.
        config: the recipe. ``steps`` may be raised between runs; the rest should stay.
        device: where to train.
        progress: called with the fraction done.

    Returns:
        Path of the checkpoint.
    """
    folder = make_folder(folder)
    weights = TrainedWeights(
        ShapePrior, folder / "checkpoint.pt", seed=config.seed, precision=getattr(torch, config.precision),
        weight_decay=config.weight_decay, ema=config.ema, clip=config.clip, device=device,
    )  # fmt: skip
    channels_last(weights.running)
    if weights.step >= config.steps:
        return weights.path
    sums: dict[str, list[float]] = {}
    for batch, grid in _staged_batches(Passes(data, held_out=False), lights, weights.step, config):
        losses = prior_losses(weights.running, {name: value.to(device) for name, value in batch.items()}, grid)
        weighted(losses).backward()
        weights.update(config.rate(weights.step))
        views = batch["pictures"].shape[1]
        for name, loss in losses.items():
            sums.setdefault(name if name != "sdf" else ("sdf_one" if views == 1 else "sdf_many"), []).append(
                loss.item()
            )
        validates = weights.step % config.validate_every == 0 or weights.step == config.steps
        if weights.step % config.save_every == 0 or validates:  # saved with each record, so that none comes twice
            record = {"step": weights.step, **{name: round(float(np.mean(values)), 5) for name, values in sums.items()}}
            if validates:
                record |= validate(weights.mean, data, lights, config, weights.step - 1, device)
            sums = {}
            weights.save(asdict(config))
            append_log(folder / "log.jsonl", record)
        if progress:
            progress(weights.step / config.steps)
    return weights.path


def stage_of(config: PriorTrainConfig, step: int) -> tuple[int, int, int]:
    """Step at which the stage of a step ends, px of its pictures, and voxels along an axis of its grid."""
    for until, picture_px, grid in config.stages:
        if step < until or until == 0:
            return min(until or config.steps, config.steps), picture_px, grid
    return config.steps, *config.stages[-1][1:]


def _staged_batches(
    passes: Passes, lights: np.ndarray, step: int, config: PriorTrainConfig
) -> Iterator[tuple[Batch, int]]:
    """Batches from ``step`` to the end, and the grid of their stage."""
    while step < config.steps:
        until, picture_px, grid = stage_of(config, step)
        batches = Batches(
            passes, lights, size=config.batch, count=until - step, seed=config.seed, first=step,
            config=SampleConfig(picture_px=picture_px),
        )  # fmt: skip
        ahead = 4 if config.workers else None
        for batch in DataLoader(batches, batch_size=None, num_workers=config.workers, prefetch_factor=ahead):
            yield batch, grid
        step = until


def channels_last(network: nn.Module) -> None:
    """Weights in the memory layout in which convolutions of channels-last tensors are fast."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)


VALIDATION_BATCHES = 6


@torch.no_grad()
def validate(
    network: ShapePrior, data: str | Path, lights: np.ndarray, config: PriorTrainConfig, step: int, device: str
) -> dict[str, float]:
    """Losses and the overlap of the insides on held-out objects, for one view and for a rig."""
    dtype = getattr(torch, config.precision)
    low = ShapePrior(network.shape).to(device, dtype)
    low.load_state_dict(network.state_dict())
    channels_last(low)
    passes, found = Passes(data, held_out=True), {}
    _, picture_px, grid = stage_of(config, step)
    for mode in ("one", "rig"):
        batches = Batches(
            passes, lights, size=8, count=VALIDATION_BATCHES, seed=config.seed + 1, modes={mode: 1.0}, degrade=False,
            config=SampleConfig(picture_px=picture_px),
        )  # fmt: skip
        values: dict[str, list[float]] = {}
        for index in range(len(batches)):
            batch = {name: value.to(device) for name, value in batches[index].items()}
            losses = prior_losses(low, batch, grid)
            losses["elevation_deg"] = losses.pop("elevation") * ELEVATION_UNIT_DEG
            for name, value in losses.items():
                values.setdefault(name, []).append(value.item())
        found |= {f"val_{mode}_{name}": round(float(np.mean(each)), 5) for name, each in values.items()}
    return {name: value for name, value in found.items() if name != "val_rig_elevation_deg"}
