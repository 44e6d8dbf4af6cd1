"""Endless training samples: each is a function of the seed and its number alone, with all the noise that it will need.

So a run that was stopped goes on with the very numbers it would have drawn, and a step's samples are the same ones
whether one process trains on them or many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from zero123pp.diffusion import ImagePreprocessor
from zero123pp.errors import BadInput
from zero123pp.render import SampleFolder, open_samples
from zero123pp.train import is_held_out
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.phases import REFINING
from zero123pp.train.multiview.pictures import first_stage_of, query_picture, sample_pictures, target_sheet

Item = dict[str, torch.Tensor]

_PERMUTATIONS = tuple(permutations(range(3)))


class Pool:
    """The samples of a folder that training, or validation, may draw, and their order."""

    def __init__(
        self, folder: str | Path, *, held_out: bool, balance: float = 1.0, depth: bool = False, normals: bool = False
    ) -> None:
        """Reads indices only.

        Args:
            folder: of ``run.py render multiview``.
            held_out: the meshes kept for validation, or the others; no mesh is in both.
            balance: see `ViewsTrainConfig`.
            depth: decode depths too.
            normals: decode normals too.

        Raises:
            BadInput: no samples in the folder.
        """
        self.samples: SampleFolder = open_samples(folder, depth=depth, normals=normals)
        self.numbers = [i for i, mesh in enumerate(self.samples.meshes) if is_held_out(mesh) == held_out]
        self.balance = balance
        groups: dict[str, list[int]] = {}
        for number in self.numbers:
            groups.setdefault(self.samples.meshes[number].split("_")[0], []).append(number)
        self.groups = list(groups.values())
        shares = np.array([len(group) for group in self.groups], float) ** balance
        self._shares = shares / shares.sum() if len(shares) else shares
        self._epoch: tuple[int, int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, number: int, seed: int) -> int:
        """Which of the folder's samples is drawn as the ``number``-th."""
        if self.balance == 1:
            epoch, position = divmod(number, len(self))
            if self._epoch is None or self._epoch[:2] != (seed, epoch):
                self._epoch = (seed, epoch, np.random.default_rng([seed, epoch]).permutation(len(self)))
            return self.numbers[self._epoch[2][position]]
        rng = np.random.default_rng([seed, number])
        group = self.groups[rng.choice(len(self.groups), p=self._shares)]
        return group[rng.integers(len(group))]


@dataclass(frozen=True)
class Geometry:
    """Sizes that follow from a checkpoint."""

    tile_px: int
    """Side of one target view."""
    latent_channels: int
    factor: int
    """Pixels per latent along one side."""
    clip: ImagePreprocessor
    vae: ImagePreprocessor
    timesteps: int
    """Number of training steps of the noise schedule that are trained, from the quiet end on."""
    rows: int = 3
    columns: int = 2
    """Tiles of what is drawn at once."""

    @property
    def sheet_latents(self) -> tuple[int, int, int]:
        """Shape of a sheet's latents, or of a tile's where tiles are drawn for themselves."""
        side = self.tile_px // self.factor
        return self.latent_channels, self.rows * side, self.columns * side

    @property
    def reference_latents(self) -> tuple[int, int, int]:
        """Shape of a reference's latents."""
        return self.latent_channels, self.vae.crop[0] // self.factor, self.vae.crop[1] // self.factor


class ViewItems(Dataset):
    """Items by number, see `ViewItems.__getitem__`; the numbers never end."""

    def __init__(self, pool: Pool, geometry: Geometry, config: ViewsTrainConfig, *, group: int, stream: int = 0):
        """Opens nothing.

        Args:
            pool: where samples come from.
            geometry: of the checkpoint.
            config: of the training.
            group: samples a step in all processes together, for even time steps.
            stream: 0 for training; another for draws that have nothing in common with it.
        """
        if not len(pool):
            raise BadInput("there are no samples to train on; the few meshes that are there are held out by their name")
        self.pool, self.geometry, self.config, self.group, self.stream = pool, geometry, config, group, stream

    def __getitem__(self, number: int) -> Item:
        """The ``number``-th item.

        ``vae_pixels``, ``clip_pixels`` of the query, ``target`` (3, H, W) in [0, 1], ``control`` (3, H, W) in [-1, 1]
        for a ControlNet, ``first_stage`` (3, H, W) in [0, 1] for a refiner, ``timestep``, ``keep`` (whether it keeps
        its conditions), and standard normal noise: ``noise_condition`` and ``noise_target`` of the posteriors,
        ``noise``, ``noise_reference``.
        """
        config, geometry = self.config, self.geometry
        state = np.random.SeedSequence([config.seed, self.stream, number]).generate_state(2, np.uint64)
        rng, noise = np.random.default_rng(state[0]), torch.Generator().manual_seed(int(state[1] >> 1))
        keep, recolour = rng.random() >= config.drop, rng.random() < config.recolour
        channels = _PERMUTATIONS[rng.integers(6)] if recolour else _PERMUTATIONS[0]
        size = int(rng.integers(config.query_px[0], config.query_px[1] + 1)) if config.query_px else 0
        sample = self.pool.samples[self.pool.at(number, config.seed)]
        query, target, control = sample_pictures(sample, config.phase, background=config.background, channels=channels)
        picture = query_picture(query, size)
        more = {}
        if config.phase in REFINING:
            which = slice(None) if geometry.rows > 1 else [int(rng.integers(6))]
            before = first_stage_of(sample, target, config, rng, which, channels=channels)
            target, more["first_stage"] = target[which], target_sheet(before, geometry.tile_px)
        item = {
            "vae_pixels": geometry.vae(picture)[0],
            "clip_pixels": geometry.clip(picture)[0],
            "target": target_sheet(target, geometry.tile_px),
            "timestep": torch.tensor(self._timestep(number, rng)),
            "keep": torch.tensor(bool(keep)),
            "noise_condition": torch.randn(geometry.reference_latents, generator=noise),
            "noise_target": torch.randn(geometry.sheet_latents, generator=noise),
            "noise": torch.randn(geometry.sheet_latents, generator=noise),
            "noise_reference": torch.randn(geometry.reference_latents, generator=noise),
        }
        if control is not None:
            item["control"] = target_sheet(control, geometry.tile_px) * 2 - 1
        return item | more

    def _timestep(self, number: int, rng: np.random.Generator) -> int:
        if self.config.timesteps == "uniform":
            return int(rng.integers(self.geometry.timesteps))
        step, place = divmod(number, self.group)
        offset = np.random.default_rng([self.config.seed, self.stream, step]).random()
        return int((offset + place / self.group) % 1 * self.geometry.timesteps)


def numbers_of(first_step: int, last_step: int, *, accumulate: int, processes: int, rank: int, batch: int) -> Sequence:
    """Numbers of the items of one process from ``first_step`` up to before ``last_step``, in its order."""
    parts = range(first_step * accumulate, last_step * accumulate)
    starts = ((part * processes + rank) * batch for part in parts)
    return [start + place for start in starts for place in range(batch)]
