"""The training loop of the cutout network: resumable, on a CPU or a GPU."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset

from zero123pp.errors import BadInput
from zero123pp.train.matting.losses import matting_loss
from zero123pp.train.matting.network import MattingNetwork


@dataclass(frozen=True)
class MattingTrainConfig:
    """Recipe of the cutout network."""

    steps: int = 6000
    """Optimiser steps."""
    batch: int = 16
    """Pictures a step."""
    size_px: int = 160
    """Side of the training pictures, px; a multiple of 32."""
    learning_rate: float = 2e-3
    """Peak of AdamW's rate."""
    warmup: int = 200
    """Steps of linear warm-up."""
    decay: float = 0.4
    """Share of the steps, at the end, over which the rate falls linearly to 0."""
    weight_decay: float = 0.01
    """Of AdamW."""
    ema: float = 0.998
    """Decay of the running mean of the weights; the mean is what is exported."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Of forward and backward; master weights are float32. bfloat16 is about twice as fast where the CPU has it."""
    seed: int = 0
    """Of the initial weights and of the pictures."""
    workers: int = 1
    """Processes that compose pictures."""
    save_every: int = 200
    """Steps between checkpoints and validations."""


def learning_rate(config: MattingTrainConfig, step: int) -> float:
    """Linear warm-up, constant, linear decay."""
    warm = min(1.0, (step + 1) / max(config.warmup, 1))
    left = (config.steps - step) / max(config.decay * config.steps, 1)
    return config.learning_rate * warm * min(1.0, left)


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
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = _State(config, folder / "checkpoint.pt", device)
    if state.step < config.steps:
        pairs = make_pairs(state.step * config.batch, (config.steps - state.step) * config.batch)
        losses = []
        for rgb, alpha in DataLoader(pairs, config.batch, num_workers=config.workers, drop_last=True):
            losses.append(state.train_step(rgb, alpha))
            if state.step % config.save_every == 0 or state.step == config.steps:
                record = {
                    "step": state.step,
                    "loss": sum(losses) / len(losses),
                    **validate(state.mean, validation, config),
                }
                losses = []
                state.save()
                with (folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")
            if progress:
                progress(state.step / config.steps)
    return folder / "checkpoint.pt"


class _State:
    """Master weights, their running mean, the low-precision copy that is run, and the optimiser."""

    def __init__(self, config: MattingTrainConfig, path: Path, device: str) -> None:
        self.config, self.path, self.device, self.step = config, path, device, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.master = MattingNetwork().to(device)
        self.mean = MattingNetwork().to(device).eval().requires_grad_(False)
        self.mean.load_state_dict(self.master.state_dict())
        self.dtype = getattr(torch, config.precision)
        self.running = MattingNetwork().to(device, self.dtype)
        self.optimiser = torch.optim.AdamW(
            self.master.parameters(), betas=(0.9, 0.99), weight_decay=config.weight_decay
        )
        if path.is_file():
            self._load()
        self.running.load_state_dict(self.master.state_dict())

    def train_step(self, rgb: torch.Tensor, alpha: torch.Tensor) -> float:
        rgb, alpha = rgb.to(self.device, self.dtype) / 255, alpha.to(self.device, torch.float32) / 255
        loss = matting_loss(*self.running(rgb), alpha)
        loss.backward()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        self._update()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _update(self) -> None:
        masters, running = list(self.master.parameters()), list(self.running.parameters())
        for master, low in zip(masters, running):
            master.grad = low.grad.float()
            low.grad = None
        torch.nn.utils.clip_grad_norm_(masters, self.config.clip)
        self.optimiser.step()
        torch._foreach_copy_(running, masters)
        # A short mean at first, else the random initial weights stay in it for hundreds of steps.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.mean.parameters()), masters, 1 - decay)

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        content = {
            "config": asdict(self.config),
            "step": self.step,
            "master": self.master.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        temporary = self.path.with_suffix(".tmp")
        torch.save(content, temporary)
        os.replace(temporary, self.path)

    def _load(self) -> None:
        content = load_checkpoint(self.path)
        self.step = content["step"]
        self.master.load_state_dict(content["master"])
        self.mean.load_state_dict(content["mean"])
        self.optimiser.load_state_dict(content["optimiser"])


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint of `train`; BadInput when it is none. Runs no code of the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if {"step", "master", "mean", "optimiser"} <= content.keys():
            return content
    except Exception as error:
        raise BadInput(f"{path} is not a checkpoint of the cutout network: {error}") from error
    raise BadInput(f"{path} is not a checkpoint of the cutout network; it has {sorted(content)}")


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
