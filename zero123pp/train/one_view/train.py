"""Training of the one-picture network: resumable, on pictures that grow."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from zero123pp.errors import BadInput
from zero123pp.files import make_folder
from zero123pp.train import ENCODER_PACE, Recipe, TrainedWeights, append_log, load_checkpoint, parameters_of
from zero123pp.train.one_view.batches import Batches, as_batch, held_out_samples
from zero123pp.train.one_view.export import NAME, export_one_view
from zero123pp.train.one_view.losses import losses, weighted
from zero123pp.train.one_view.network import OneViewNet
from zero123pp.train.one_view.pool import Collected
from zero123pp.train.one_view.samples import Sample
from zero123pp.train.one_view.store import SolidStore

_CALIBRATION = 24
"""Batches over which the normalisations of averaged weights are measured."""


@dataclass(frozen=True)
class OneViewTrainConfig(Recipe):
    """Recipe of the one-picture network."""

    steps: int = 25_000
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: int = 150
    decay: float = 0.65
    weight_decay: float = 0.02
    ema: float = 0.999
    clip: float = 4.0
    save_every: int = 250
    stages: tuple[tuple[float, int], ...] = ((0.3, 96), (1.0, 128))
    """Share of the steps up to which each size of pictures, px, is trained at; sizes are multiples of 32."""
    generated: float = 0.5
    """Share of the samples whose object comes from the generator."""
    pool: int = 2000
    """Views that a worker keeps; 330 kB (96 px) to 590 kB (128 px) each."""
    reuse: int = 3
    """Samples drawn for each view that is rendered; at nine they are learned by heart (docs/one_view.md)."""
    validate_every: int = 500
    """Steps between looks at the held-out views."""
    validation: int = 192
    """Held-out views."""

    def side(self, step: int) -> tuple[int, int]:
        """Size of the pictures at a step, px, and the step at which it ends."""
        for share, side in self.stages:
            if step < round(share * self.steps):
                return side, round(share * self.steps)
        return self.stages[-1][1], self.steps


def train(
    store: SolidStore, lights: Sequence[np.ndarray], folder: str | Path,
    config: OneViewTrainConfig = OneViewTrainConfig(), *, start: str | Path = "imagenet",
    progress: Callable[[float], None] | None = None,
) -> Path:  # fmt: skip
    """Train, or go on from the checkpoint in ``folder``.

    Args:
        store: of collected objects (``run.py render solids``).
        lights: (N, 9, 3) irradiance of environments, see `zero123pp.train.one_view.irradiance`.
        folder: receives ``checkpoint.pt`` and ``log.jsonl``.
        config: the recipe. ``steps`` may be changed between runs; the rest should stay.
        start: of a new run: ``imagenet`` (the encoder's), ``nothing``, or a folder of exported weights.
        progress: called with the fraction done.

    Returns:
        Path of the checkpoint.
    """
    folder = make_folder(folder)
    weights = TrainedWeights(
        lambda: _started(start), folder / "checkpoint.pt", seed=config.seed, precision=getattr(torch, config.precision),
        weight_decay=config.weight_decay, ema=config.ema, clip=config.clip,
        pace=lambda name: ENCODER_PACE if _is_pretrained(name) else 1.0,
    )  # fmt: skip
    for module in weights.running.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()  # means and variances need the precision, and cost nothing
    weights.running.to(memory_format=torch.channels_last)
    kept, held = (Collected.part(store, held_out=part) for part in (False, True))
    sums: dict[str, list[float]] = {}
    side, validation = 0, []
    for batch in _staged(weights, kept, lights, config):
        if batch["given"].shape[-1] != side:
            side = batch["given"].shape[-1]
            validation = held_out_samples(held, lights, side, config.validation)
        for name, value in _learn(weights, batch, config).items():
            sums.setdefault(name, []).append(value)
        last = weights.step == config.steps
        validates = weights.step % config.validate_every == 0 or last
        if weights.step % config.save_every == 0 or validates:
            record = {"step": weights.step, "samples": weights.step * config.batch, "side": side}
            record |= {name: round(float(np.mean(values)), 4) for name, values in sums.items()}
            if validates:
                network = averaged(weights.mean, calibration(store, lights, side, config))
                record |= {f"val_{name}": round(value, 4) for name, value in validate(network, validation).items()}
            sums = {}
            weights.save(asdict(config))
            append_log(folder / "log.jsonl", record)
        if progress:
            progress(weights.step / config.steps)
    return weights.path


def _started(start: str | Path) -> OneViewNet:
    if str(start) == "nothing":
        return OneViewNet()
    if str(start) == "imagenet":
        network = OneViewNet()
        network.encoder.load_imagenet()
        return network
    graph, prefix = Path(start) / f"{NAME}.onnx", "network."
    found = {name.removeprefix(prefix): torch.from_numpy(value) for name, value in parameters_of(graph).items()}
    network = OneViewNet(is_folded=True)
    wanted = network.state_dict()
    if missing := [name for name, value in wanted.items() if name not in found or found[name].shape != value.shape]:
        raise BadInput(f"{graph} is of another network: it lacks {missing[0]}; start from imagenet instead")
    network.load_state_dict({name: found[name] for name in wanted})
    return network


def _is_pretrained(name: str) -> bool:
    return name.startswith("encoder.") and not name.startswith("encoder.guide")


def _staged(
    weights: TrainedWeights, kept: Collected, lights: Sequence[np.ndarray], config: OneViewTrainConfig
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches from the weights' step on to the end, each of its stage's size."""
    while weights.step < config.steps:
        side, until = config.side(weights.step)
        batches = _batches(kept, lights, side, config, seed=[config.seed, weights.step])
        ahead = 4 if config.workers else None
        for batch in DataLoader(batches, batch_size=None, num_workers=config.workers, prefetch_factor=ahead):
            yield batch
            if weights.step >= until:
                break


def _batches(
    collected: Collected, lights: Sequence[np.ndarray], side: int, config: OneViewTrainConfig, seed: Sequence[int],
    pool: int | None = None, reuse: int | None = None,
) -> Batches:  # fmt: skip
    return Batches(
        collected, lights, side=side, batch=config.batch, generated=config.generated, pool=pool or config.pool,
        reuse=reuse or config.reuse, seed=seed,
    )  # fmt: skip


def _learn(weights: TrainedWeights, batch: dict[str, torch.Tensor], config: OneViewTrainConfig) -> dict[str, float]:
    given = batch["given"].to(getattr(torch, config.precision)).to(memory_format=torch.channels_last)
    parts = losses(weights.running(given), batch)
    weighted(parts).backward()
    norm = weights.update(config.rate(weights.step))
    return {name: value.item() for name, value in parts.items()} | {"norm": norm}


def calibration(
    store: SolidStore, lights: Sequence[np.ndarray], side: int, config: OneViewTrainConfig
) -> list[dict[str, torch.Tensor]]:
    """Training batches for `averaged`, the same always."""
    kept = Collected.part(store, held_out=False)
    batches = iter(_batches(kept, lights, side, config, seed=[config.seed, 999], pool=160, reuse=3))
    return [next(batches) for _ in range(_CALIBRATION)]


@torch.no_grad()
def averaged(mean: OneViewNet, batches: Sequence[dict[str, torch.Tensor]]) -> OneViewNet:
    """A copy of averaged weights whose normalisations are measured on batches: they are no average of anything."""
    network = OneViewNet(mean.is_folded)
    network.load_state_dict(mean.state_dict())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over the batches
    network.train()
    for batch in batches:
        network(batch["given"])
    return network.eval()


def export_checkpoint(
    checkpoint: str | Path, store: SolidStore, lights: Sequence[np.ndarray], folder: str | Path
) -> Path:
    """Write the averaged weights of a checkpoint for use without torch, see `export_one_view`."""
    content = load_checkpoint(checkpoint)
    config = OneViewTrainConfig(**content["config"])
    network = OneViewNet(is_folded=not any("running_mean" in name for name in content["mean"]))
    network.load_state_dict(content["mean"])
    side, _ = config.side(content["step"] - 1)
    network = averaged(network, calibration(store, lights, side, config))
    return export_one_view(network, side, folder, {"samples": str(content["step"] * config.batch)})


@torch.no_grad()
def validate(network: OneViewNet, samples: Sequence[Sample]) -> dict[str, float]:
    """Means over held-out samples: the losses, and the angles of front normals and way up in degrees."""
    found: dict[str, list[float]] = {}
    for first in range(0, len(samples), 16):
        batch = as_batch(samples[first : first + 16])
        reading = network(batch["given"])
        met = torch.isfinite(batch["layers"][:, 0])
        angles = losses(reading, batch) | {
            "normal_deg": _degrees((reading.front_normal * batch["normals"][:, :3]).sum(1)[met]).mean(),
            "up_deg": _degrees((reading.up * batch["up"]).sum(1)).mean(),
        }
        for name, value in angles.items():
            found.setdefault(name, []).append(value.item())
    return {name: float(np.mean(values)) for name, values in found.items()}


def _degrees(cosine: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
