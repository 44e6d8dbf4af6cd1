"""What every training loop of this project keeps: master weights, their running mean, a low-precision copy, Adam."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zero123pp.errors import BadInput, StageFailed

_MOST_SKIPPED = 20

_KEYS = {"step", "master", "mean", "optimiser"}


class TrainedWeights:
    """Trains ``running`` in low precision on behalf of float32 ``master`` weights; ``mean`` is what is exported."""

    def __init__(
        self, make: Callable[[], nn.Module], path: Path, *, seed: int, precision: torch.dtype, weight_decay: float,
        ema: float, clip: float, device: str = "cpu",
    ) -> None:  # fmt: skip
        """Start anew, or go on from the checkpoint at ``path``.

        Args:
            make: builds the network.
            path: of the checkpoint.
            seed: of the initial weights.
            precision: of forward and backward.
            weight_decay: of AdamW.
            ema: decay of the running mean.
            clip: largest norm of the gradient.
            device: where to train.
        """
        self.path, self.step, self.ema, self.clip, self.skipped = path, 0, ema, clip, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.master = make().to(device)
        self.mean = make().to(device).eval().requires_grad_(False)
        self.mean.load_state_dict(self.master.state_dict())
        self.running = make().to(device, precision)
        self.optimiser = torch.optim.AdamW(self.master.parameters(), betas=(0.9, 0.99), weight_decay=weight_decay)
        if path.is_file():
            content = load_checkpoint(path)
            self.step = content["step"]
            self.master.load_state_dict(content["master"])
            self.mean.load_state_dict(content["mean"])
            self.optimiser.load_state_dict(content["optimiser"])
        self.running.load_state_dict(self.master.state_dict())

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """One step of AdamW with the gradients that ``running`` has."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        masters, running = list(self.master.parameters()), list(self.running.parameters())
        for master, low in zip(masters, running):
            master.grad = None if low.grad is None else low.grad.float()
            low.grad = None
        # One bad batch must not end hours of training, and must never reach the checkpoint.
        if not torch.nn.utils.clip_grad_norm_(masters, self.clip).isfinite():
            self.skipped += 1
            if self.skipped > _MOST_SKIPPED:
                raise StageFailed(f"{self.skipped} gradients in a row were not finite at step {self.step}; stopped")
            self.step += 1
            return
        self.skipped = 0
        self.optimiser.step()
        torch._foreach_copy_(running, masters)
        # A short mean at first, else the random initial weights stay in it for hundreds of steps.
        decay = min(self.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.mean.parameters()), masters, 1 - decay)
        self.step += 1

    def save(self, config: dict[str, Any]) -> None:
        """Write the checkpoint, whole or not at all."""
        content = {
            "config": config, "step": self.step, "master": self.master.state_dict(), "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        temporary = self.path.with_suffix(".tmp")
        torch.save(content, temporary)
        os.replace(temporary, self.path)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint of this project's training; BadInput when it is none. Runs no code of the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.keys() >= _KEYS:
            return content
    except Exception as error:
        raise BadInput(f"{path} is not a training checkpoint: {error}") from error
    raise BadInput(f"{path} is not a training checkpoint; it has {sorted(content)}")


def scheduled_rate(peak: float, step: int, steps: int, *, warmup: int, decay: float) -> float:
    """Learning rate: linear warm-up, constant, and over the last share ``decay`` of the steps linearly to 0."""
    warm = min(1.0, (step + 1) / max(warmup, 1))
    return peak * warm * min(1.0, (steps - step) / max(decay * steps, 1))
