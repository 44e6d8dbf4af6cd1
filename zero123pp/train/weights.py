"""What every training loop of this project keeps: master weights, their running mean, a low-precision copy, Adam."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn

from zero123pp.errors import BadInput, StageFailed
from zero123pp.files import whole_file

_MOST_SKIPPED = 20

_KEYS = {"step", "master", "mean", "optimiser"}

WEIGHT_ERRORS = (OSError, RuntimeError, SafetensorError)
"""What torch and safetensors raise when a disk refuses weights."""


class _Masters:
    """AdamW, clipping and running mean over float32 masters of weights that run in low precision."""

    def __init__(
        self, path: Path, *, running: Sequence[nn.Parameter], masters: Sequence[nn.Parameter],
        means: Sequence[torch.Tensor], weight_decay: float, ema: float, clip: float, fused: bool | None = None,
        paces: Sequence[float] | None = None,
    ) -> None:  # fmt: skip
        self.path, self.step, self.ema, self.clip, self.skipped = path, 0, ema, clip, 0
        self._running, self._masters, self._means = list(running), list(masters), list(means)
        paces = paces or [1.0] * len(self._masters)
        self._paces = sorted(set(paces))  # one group of parameters each
        groups = [[m for m, own in zip(self._masters, paces) if own == pace] for pace in self._paces]
        self.optimiser = torch.optim.AdamW(
            [{"params": group} for group in groups], betas=(0.9, 0.99), weight_decay=weight_decay, fused=fused
        )

    @torch.no_grad()
    def update(self, rate: float) -> float:
        """One step of AdamW with the gradients that the running weights have; the norm of these gradients."""
        for group, pace in zip(self.optimiser.param_groups, self._paces):
            group["lr"] = rate * pace
        for master, low in zip(self._masters, self._running):
            master.grad = None if low.grad is None else low.grad.float()
            low.grad = None
        # One bad batch must not end hours of training, and must never reach the checkpoint.
        norm = torch.nn.utils.clip_grad_norm_(self._masters, self.clip)
        if not norm.isfinite():
            self.skipped += 1
            if self.skipped > _MOST_SKIPPED:
                raise StageFailed(f"{self.skipped} gradients in a row were not finite at step {self.step}; stopped")
            self.step += 1
            return float(norm)
        self.skipped = 0
        self.optimiser.step()
        copy_each(self._running, self._masters)
        # A short mean at first, else the random initial weights stay in it for hundreds of steps.
        decay = min(self.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._means, self._masters, 1 - decay)
        self.step += 1
        return float(norm)

    def _write(self, content: dict[str, Any]) -> None:
        """Write the checkpoint, whole or not at all."""
        with whole_file(self.path, errors=WEIGHT_ERRORS) as temporary, temporary.open("wb") as file:
            torch.save({"step": self.step, "optimiser": self.optimiser.state_dict()} | content, file)


class TrainedWeights(_Masters):
    """Trains ``running`` in low precision on behalf of float32 ``master`` weights; ``mean`` is what is exported."""

    def __init__(
        self, make: Callable[[], nn.Module], path: Path, *, seed: int, precision: torch.dtype, weight_decay: float,
        ema: float, clip: float, device: str = "cpu", pace: Callable[[str], float] = lambda name: 1.0,
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
            pace: name of a parameter to the factor of its learning rate; pretrained ones are often given less than 1.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.master = make().to(device)
        self.mean = make().to(device).eval().requires_grad_(False)
        self.mean.load_state_dict(self.master.state_dict())
        self.running = make().to(device, precision)
        super().__init__(
            path, running=list(self.running.parameters()), masters=list(self.master.parameters()),
            means=list(self.mean.parameters()), weight_decay=weight_decay, ema=ema, clip=clip,
            paces=[pace(name) for name, _ in self.master.named_parameters()],
        )  # fmt: skip
        if path.is_file():
            content = load_checkpoint(path)
            _check_same(path, content["master"], self.master.state_dict())
            self.step = content["step"]
            self.master.load_state_dict(content["master"])
            self.mean.load_state_dict(content["mean"])
            self.optimiser.load_state_dict(content["optimiser"])
        self.running.load_state_dict(self.master.state_dict())

    def save(self, config: dict[str, Any]) -> None:
        """Write the checkpoint, whole or not at all."""
        self._write({"config": config, "master": self.master.state_dict(), "mean": self.mean.state_dict()})


class PartialWeights(_Masters):
    """Trains some parameters of a network that exists and stays in its own precision; the others are frozen.

    Only the trained ones have masters, means and moments, so a large network costs little where little is trained.
    """

    def __init__(
        self, network: nn.Module, trains: Callable[[str], bool], path: Path, *, weight_decay: float, ema: float,
        clip: float,
    ) -> None:  # fmt: skip
        """Start from the network's own weights, or go on from the checkpoint at ``path``.

        Args:
            network: in the precision of forward and backward, on its device; it is changed in place.
            trains: whether the parameter of a name is trained.
            path: of the checkpoint.
            weight_decay: of AdamW.
            ema: decay of the running mean.
            clip: largest norm of the gradient.

        Raises:
            BadInput: nothing is trained, or the checkpoint is one of other parameters.
        """
        self.running = {name: parameter for name, parameter in network.named_parameters() if trains(name)}
        if not self.running:
            raise BadInput("nothing is trained: the network has no parameter of the names asked for")
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in self.running)
        self.master = {name: nn.Parameter(low.detach().float().clone()) for name, low in self.running.items()}
        self.mean = {name: master.detach().clone() for name, master in self.master.items()}
        super().__init__(
            path, running=list(self.running.values()), masters=list(self.master.values()),
            means=list(self.mean.values()), weight_decay=weight_decay, ema=ema, clip=clip, fused=True,
        )  # fmt: skip
        if path.is_file():
            self._resume(load_checkpoint(path))

    @torch.no_grad()
    def _resume(self, content: dict[str, Any]) -> None:
        for kept, here in ((content["master"], self.master), (content["mean"], self.mean)):
            _check_same(self.path, kept, here)
            copy_each(list(here.values()), [kept[name].to(here[name].device) for name in here])
        self.step = content["step"]
        self.optimiser.load_state_dict(content["optimiser"])
        copy_each(self._running, self._masters)

    @torch.no_grad()
    def carry_over(self, content: dict[str, Any]) -> None:
        """Take masters and AdamW's moments of an earlier phase's checkpoint, by name; its step count starts anew."""
        names = list(content["master"])
        if unknown := set(names) - set(self.master):
            raise BadInput(f"the earlier phase trained {min(unknown)}, which this one keeps frozen; carry nothing over")
        moments = content["optimiser"]["state"]
        for number, name in enumerate(names):
            self.master[name].copy_(content["master"][name])
            self.mean[name].copy_(content["mean"][name])
            if number in moments:
                device = self.master[name].device
                self.optimiser.state[self.master[name]] = {
                    key: value.clone().to(device) for key, value in moments[number].items()
                }
        copy_each(self._running, self._masters)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with the running means as its weights."""
        copy_each(self._running, self._means)
        try:
            yield
        finally:
            copy_each(self._running, self._masters)

    def save(self, config: dict[str, Any]) -> None:
        """Write the checkpoint, whole or not at all."""
        masters = {name: master.detach() for name, master in self.master.items()}
        self._write({"config": config, "master": masters, "mean": dict(self.mean)})


def _check_same(path: Path, kept: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """BadInput unless the ``kept`` parameters have the names and shapes of the ``wanted`` ones."""
    found, expected = ({name: value.shape for name, value in each.items()} for each in (kept, wanted))
    if found != expected:
        raise BadInput(f"{path} is a checkpoint of other parameters; give the run a new folder")


@torch.no_grad()
def copy_each(targets: Sequence[torch.Tensor], sources: Sequence[torch.Tensor]) -> None:
    """Copy tensors pairwise, each into its target's type."""
    torch._foreach_copy_(list(targets), list(sources))


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint of this project's training; BadInput when it is none. Runs no code of the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.keys() >= _KEYS:
            return content
    except Exception as error:
        raise BadInput(f"{path} is not a training checkpoint: {error}") from error
    raise BadInput(f"{path} is not a training checkpoint; it has {sorted(content)}")


def scheduled_rate(
    peak: float, step: int, steps: int, *, warmup: int, decay: float, shape: Literal["linear", "cosine"] = "linear"
) -> float:
    """Learning rate: linear warm-up, constant, and over the last share ``decay`` of the steps down to 0."""
    warm = min(1.0, (step + 1) / max(warmup, 1))
    left = min(1.0, (steps - step) / max(decay * steps, 1))
    return peak * warm * (left if shape == "linear" else (1 - math.cos(math.pi * left)) / 2)
