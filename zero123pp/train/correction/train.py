"""Training of the network that corrects a fitted surface: resumable, on looks that were made before."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from zero123pp.errors import BadInput
from zero123pp.files import make_folder
from zero123pp.recon.fitting import LOOK_CHANNELS, UNSEEN
from zero123pp.train import Recipe, TrainedWeights, append_log, is_held_out, rewind_log
from zero123pp.train.correction.looks import LookStore, TrueLook
from zero123pp.train.correction.losses import MOST_OFF, correction_loss
from zero123pp.train.correction.network import MULTIPLE, CorrectionNet

_HELD_OUT = 0.08
"""Share of the objects that is kept for validation."""
_BRIGHTER, _TINTED = (0.75, 1.2), 0.08
"""Factor of the picture's brightness, and most that one of its channels differs."""
_BLIND = 0.15
"""Share of samples in which no other view sees anything."""


@dataclass(frozen=True)
class CorrectionTrainConfig(Recipe):
    """Recipe of the network that corrects a fitted surface."""

    steps: int = 14_000
    batch: int = 8
    learning_rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.7
    weight_decay: float = 0.02
    save_every: int = 500
    side: int = 80
    """Of the training crops, at the network's size; a multiple of 16."""
    validation: int = 240
    """Held-out looks."""


class Crops(IterableDataset):
    """Endless batches of crops with the colours, the light and the side changed; every object comes as often."""

    def __init__(self, looks: list[list[TrueLook]], config: CorrectionTrainConfig, seed: tuple[int, ...]) -> None:
        self._looks, self._config, self._seed = looks, config, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        info = get_worker_info()
        rng = np.random.default_rng([*self._seed, info.id if info else 0])
        order: list[int] = []
        while True:
            batch = []
            for _ in range(self._config.batch):
                order = order or list(rng.permutation(len(self._looks)))
                looks = self._looks[order.pop()]
                batch.append(_varied(looks[rng.integers(len(looks))], rng))
            yield as_batch(batch, self._config.side, rng)


def train(
    store: LookStore,
    folder: str | Path,
    config: CorrectionTrainConfig = CorrectionTrainConfig(),
    *,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Train, or go on from the checkpoint in ``folder``.

    Args:
        store: of the looks; they are held in memory, 3 to 9 MB an object.
        folder: receives ``checkpoint.pt`` and ``log.jsonl``.
        config: the recipe. ``steps`` may be changed between runs; the rest should stay.
        progress: called with the fraction done.

    Returns:
        Path of the checkpoint.

    Raises:
        BadInput: there are too few objects to keep some for validation.
    """
    folder = make_folder(folder)
    names = store.names()
    mesh = LookStore.mesh_of  # what is made of one mesh stays together
    held, kept = ([name for name in names if is_held_out(mesh(name), _HELD_OUT) is out] for out in (True, False))
    if not held or not kept:
        raise BadInput(
            f"{store.folder} holds {len(names)} objects, {len(held)} of them held out; some of both are needed"
        )
    weights = TrainedWeights(
        CorrectionNet, folder / "checkpoint.pt", seed=config.seed, precision=getattr(torch, config.precision),
        weight_decay=config.weight_decay, ema=config.ema, clip=config.clip,
    )  # fmt: skip
    weights.running.to(memory_format=torch.channels_last)
    judged = [look for name in held for look in store.load(name)]
    judged = judged[:: max(len(judged) // config.validation, 1)]
    crops = Crops([store.load(name) for name in kept], config, (config.seed, weights.step))
    rewind_log(folder / "log.jsonl", weights.step)  # what a killed run logged after its last checkpoint
    losses: list[float] = []
    for inputs, *truth in DataLoader(crops, None, num_workers=config.workers):
        if weights.step >= config.steps:
            break
        inputs = inputs.to(getattr(torch, config.precision)).contiguous(memory_format=torch.channels_last)
        loss = correction_loss(weights.running(inputs), *truth)["loss"]
        loss.backward()
        weights.update(config.rate(weights.step))
        losses.append(float(loss.detach()))
        if weights.step % config.save_every == 0 or weights.step == config.steps:
            record = {"step": weights.step, "loss": round(float(np.mean(losses)), 4)}
            weights.save(asdict(config))
            append_log(folder / "log.jsonl", record | validate(weights.mean, judged))
            losses = []
        if progress:
            progress(weights.step / config.steps)
    return weights.path


def as_batch(looks: list[TrueLook], side: int, rng: np.random.Generator | None = None) -> tuple[torch.Tensor, ...]:
    """Inputs (B, C, S, S), true normals (B, 3, S, S), offsets (B, S, S) and where they are seen (B, S, S), float32.

    Pictures are cut to ``side`` or set into it: at random, or without ``rng`` in the middle.
    """

    def placed(values: np.ndarray, starts: list[int]) -> np.ndarray:
        result = np.zeros((*values.shape[:-2], side, side), np.float32)
        sources, targets = [], []
        for size, start in zip(values.shape[-2:], starts):
            length = min(size, side)
            sources.append(slice(max(start, 0), max(start, 0) + length))
            targets.append(slice(max(-start, 0), max(-start, 0) + length))
        result[..., targets[0], targets[1]] = values[..., sources[0], sources[1]]
        return result

    parts: tuple[list[np.ndarray], ...] = ([], [], [], [])
    for look in looks:
        free = [size - side for size in look.seen.shape]
        starts = [gap // 2 if rng is None else int(rng.integers(min(gap, 0), max(gap, 0) + 1)) for gap in free]
        for part, values in zip(parts, (look.inputs, look.normals, look.offsets, look.seen)):
            part.append(placed(values, starts))
    return tuple(torch.from_numpy(np.stack(part)) for part in parts)


@torch.no_grad()
def validate(network: CorrectionNet, looks: list[TrueLook]) -> dict[str, float]:
    """Mean angles of normals to the truth (degrees), and distances of the surface to it (voxels), before and after."""
    found: dict[str, list[float]] = {}
    for look in looks:
        side = -(-max(look.seen.shape) // MULTIPLE) * MULTIPLE
        inputs, true, offsets, seen = as_batch([look], side)
        reading, count = network(inputs), seen.sum().clamp(min=1)
        given = {name: inputs[:, LOOK_CHANNELS[name]] for name in ("raw", "smoothed")}
        errors = {}
        for name, normals in (given | {"network": reading.normal}).items():
            unit = torch.nn.functional.normalize(normals, dim=1, eps=1e-3)
            errors[f"{name}_deg"] = torch.rad2deg(torch.arccos((unit * true).sum(1).clamp(-1, 1)))
        offsets = offsets.clamp(-MOST_OFF, MOST_OFF)
        errors |= {"off": offsets.abs(), "network_off": (offsets - reading.offset).abs()}
        for name, values in errors.items():
            found.setdefault(name, []).append(float((values * seen).sum() / count))
    return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def _varied(look: TrueLook, rng: np.random.Generator) -> TrueLook:
    """The look with other colours, perhaps in a mirror, perhaps with no other view."""
    if rng.random() < 0.5:
        look = look.mirrored()
    inputs = look.inputs.astype(np.float32)
    pixels = inputs[LOOK_CHANNELS["pixels"]].reshape(4, 4, *look.seen.shape)
    there = pixels[:, 3:] > 0
    color = pixels[:, :3] + 0.5 * there
    if rng.random() < 0.5:
        color = color[:, rng.permutation(3)]
    color = color * (rng.uniform(*_BRIGHTER) * rng.uniform(1 - _TINTED, 1 + _TINTED, (1, 3, 1, 1)))
    pixels[:, :3] = np.clip(color, 0, 1) - 0.5 * there
    if rng.random() < _BLIND:
        changes = inputs[LOOK_CHANNELS["changes"]]
        changes[changes != 0] = UNSEEN
        inputs[LOOK_CHANNELS["others"]] = 0
        inputs[LOOK_CHANNELS["alone"]] = inputs[LOOK_CHANNELS["agreement"]] = changes[:1] != 0
    return TrueLook(inputs, look.normals, look.offsets, look.seen)
