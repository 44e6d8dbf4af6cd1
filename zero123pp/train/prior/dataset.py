"""Endless batches of the shape prior, each a function of the seed and its number alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from zero123pp.errors import BadInput
from zero123pp.recon.prior import picture_outline
from zero123pp.train import is_held_out
from zero123pp.train.prior.degrade import degraded
from zero123pp.train.prior.samples import Mode, Sample, SampleConfig, draw

CLASS_SHARES = {"scan": 0.2, "model": 0.22, "market": 0.18, "kit": 0.4}
"""How often each class of objects is drawn: 81 % of the objects are low-poly kits, which the users' objects are not."""

MODE_SHARES: dict[Mode, float] = {"one": 0.7, "rig": 0.2, "some": 0.1}
"""One picture leaves the most open, and its steps cost half of the others'."""

Batch = dict[str, torch.Tensor]


class Passes:
    """The rendered files of a folder by class, for training or held out."""

    def __init__(self, folder: str | Path, *, held_out: bool) -> None:
        self.files = {
            name: [
                file
                for file in sorted((Path(folder) / name).glob("*.npz"))
                if is_held_out(file.stem.rsplit(".", 1)[0]) == held_out
            ]
            for name in CLASS_SHARES
        }
        self.classes = [name for name, files in self.files.items() if files]
        if not self.classes:
            raise BadInput(f"{folder} has no rendered passes; make them with: run.py render shapes")
        shares = np.array([CLASS_SHARES[name] for name in self.classes])
        self.shares = shares / shares.sum()

    def draw(self, rng: np.random.Generator) -> Path:
        """A file: first its class, then any of it."""
        files = self.files[self.classes[rng.choice(len(self.classes), p=self.shares)]]
        return files[rng.integers(len(files))]


class Batches(Dataset):
    """Batch ``i`` is drawn when asked for, so that a resumed run goes on where it stopped.

    All samples of a batch have the same number of views.
    """

    def __init__(
        self, passes: Passes, lights: np.ndarray, *, size: int, count: int, seed: int, first: int = 0,
        modes: dict[Mode, float] = MODE_SHARES, config: SampleConfig = SampleConfig(), degrade: bool = True,
    ) -> None:  # fmt: skip
        self.passes, self.lights, self.size, self.count, self.seed, self.first = (
            passes, lights, size, count, seed, first,
        )  # fmt: skip
        self.modes, self.config, self.degrade = modes, config, degrade

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Batch:
        """Tensors of `Sample` stacked, ``pictures`` with its eighth channel and ``normals`` beside."""
        rng = np.random.default_rng([self.seed, self.first + index])
        mode = list(self.modes)[rng.choice(len(self.modes), p=list(self.modes.values()))]
        samples = [self._draw(mode, rng) for _ in range(self.size)]
        views = min(len(sample.pictures) for sample in samples)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        pictures = _stack([sample.pictures[:views] for sample in samples])
        if self.degrade:
            pictures = degraded(pictures, mode, generator)
        normals = pictures[:, :, 4:].clone()
        given = torch.rand(self.size, generator=generator) < (0.0 if mode == "one" else 0.35)
        inputs = _with_normals(pictures, given, generator)
        rest = {
            name: _stack([getattr(sample, name) for sample in samples])
            for name in ("points", "sdf", "surface", "surface_rgb")
        }
        return rest | {
            "pictures": inputs,
            "normals": normals,
            "outlines": _outlines(pictures[:, :, 3]),
            "matrices": _stack([sample.matrices[:views] for sample in samples]),
            "elevation": _stack([sample.elevation[:views] for sample in samples]),
        }

    def _draw(self, mode: Mode, rng: np.random.Generator) -> Sample:
        with np.load(self.passes.draw(rng)) as data:
            return draw(dict(data), mode, self.lights, self.config, rng)


def _stack(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))


def _outlines(alphas: torch.Tensor) -> torch.Tensor:
    """`picture_outline` of alphas (B, V, S, S)."""
    flat = alphas.flatten(0, 1).numpy()
    return torch.from_numpy(np.stack([picture_outline(alpha) for alpha in flat])).reshape(alphas.shape)


def _with_normals(pictures: torch.Tensor, given: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The eight input channels: the normals, roughened, where they are given, else nothing."""
    flag = given[:, None, None, None, None].float()
    alpha = pictures[:, :, 3:4]
    noise = 0.08 * torch.randn(pictures[:, :, 4:].shape, generator=generator)
    normals = (pictures[:, :, 4:] + noise * alpha) * flag
    return torch.cat([pictures[:, :, :4], normals, (flag * torch.ones_like(alpha))], 2)
