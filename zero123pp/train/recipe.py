"""What every training loop of this project can be told."""

from dataclasses import dataclass
from typing import Literal

from zero123pp.errors import ConfigError
from zero123pp.train.weights import scheduled_rate


@dataclass(frozen=True)
class Recipe:
    """The common part of a recipe; each training has its own defaults and adds its own fields."""

    steps: int = 10_000
    """Optimiser steps."""
    batch: int = 8
    """Samples a step (of each process, and of each accumulated part, where there are several)."""
    learning_rate: float = 1e-3
    """Peak of AdamW's rate."""
    warmup: int = 300
    """Steps of linear warm-up."""
    decay: float = 0.4
    """Share of the steps, at the end, over which the rate falls to 0; 0 keeps it constant."""
    weight_decay: float = 0.01
    """Of AdamW."""
    ema: float = 0.998
    """Decay of the running mean of the weights; the mean is what is exported."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Of forward and backward; master weights are float32. bfloat16 is about twice as fast where the CPU has it."""
    seed: int = 0
    """Of the initial weights and of the samples."""
    workers: int = 1
    """Processes that draw samples."""
    save_every: int = 100
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch", 1), ("save_every", 1), ("workers", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a whole number of at least {least}")

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, constant, linear decay."""
        return scheduled_rate(self.learning_rate, step, self.steps, warmup=self.warmup, decay=self.decay)
