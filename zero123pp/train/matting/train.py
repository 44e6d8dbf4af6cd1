"""The training loop of the cutout network: resumable, on a CPU or a GPU."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from zero123pp.files import make_folder
from zero123pp.train import ENCODER_PACE, Recipe, TrainedWeights, append_log
from zero123pp.train.matting.losses import matting_loss
from zero123pp.train.matting.network import MattingNetwork


@dataclass(frozen=True)
class MattingTrainConfig(Recipe):
    """Recipe of the cutout network. Checkpoints and validations come together."""

    steps: int = 2000
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: int = 100
    decay: float = 0.6
    save_every: int = 200
    size_px: int = 224
    """Side of the training pictures, px; a multiple of 32."""


def train(
    make_pairs: Callable[[int, int], Dataset],
    validation: Dataset,
    folder: str | Path,
    config: MattingTrainConfig | None = None,
    *,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Trains, or goes on from the checkpoint in ``folder``.

    Args:
        make_pairs: (first pair's number, number of pairs) to a data set of (picture (3, S, S), alpha (1, S, S)) uint8.
        validation: held-out pairs of the same form.
        folder: receives ``checkpoint.pt`` and ``log.jsonl``.
        config: the recipe. ``steps`` may be raised between runs; the rest should stay.
        device: where to train.
        progress: called with the fraction done.

    Returns:
        Path of the checkpoint.
    """
    config = config or MattingTrainConfig()
    folder = make_folder(folder)
    state = TrainedWeights(
        MattingNetwork.pretrained, folder / "checkpoint.pt", seed=config.seed,
        precision=getattr(torch, config.precision), weight_decay=config.weight_decay, ema=config.ema,
        clip=config.clip, device=device,
        pace=lambda name: ENCODER_PACE if name.startswith("encoder.") else 1.0,
    )  # fmt: skip
    state.running.to(memory_format=torch.channels_last)
    if state.step < config.steps:
        pairs = make_pairs(state.step * config.batch, (config.steps - state.step) * config.batch)
        losses = []
        for rgb, alpha in DataLoader(pairs, config.batch, num_workers=config.workers, drop_last=True):
            losses.append(_train_step(state, rgb, alpha, config, device))
            if state.step % config.save_every == 0 or state.step == config.steps:
                record = {
                    "step": state.step,
                    "loss": sum(losses) / len(losses),
                    **validate(state.mean, validation, config),
                }
                losses = []
                state.save(asdict(config))
                append_log(folder / "log.jsonl", record)
            if progress:
                progress(state.step / config.steps)
    return folder / "checkpoint.pt"


def _train_step(
    weights: TrainedWeights, rgb: torch.Tensor, alpha: torch.Tensor, config: MattingTrainConfig, device: str
) -> float:
    rgb = rgb.to(device, getattr(torch, config.precision)).contiguous(memory_format=torch.channels_last) / 255
    loss = matting_loss(*weights.running(rgb), alpha.to(device, torch.float32) / 255)
    loss.backward()
    weights.update(config.rate(weights.step))
    return float(loss.detach())


@torch.no_grad()
def validate(network: MattingNetwork, pairs: Dataset, config: MattingTrainConfig) -> dict[str, float]:
    """Mean IoU at 0.5 and mean absolute error over a data set."""
    ious, errors = [], []
    for rgb, alpha in DataLoader(pairs, config.batch):
        device = next(network.parameters()).device
        predicted = network(rgb.to(device, torch.float32) / 255)[0].sigmoid().cpu()
        alpha = alpha.float() / 255
        errors += (predicted - alpha).abs().mean((1, 2, 3)).tolist()
        a, b = predicted > 0.5, alpha > 0.5
        ious += ((a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3)).clamp(min=1)).tolist()
    return {"iou": sum(ious) / len(ious), "mae": sum(errors) / len(errors)}
