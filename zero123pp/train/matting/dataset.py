"""Endless training pairs, each a function of the seed and its number alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from zero123pp.train.matting.compose import compose


class Compositions(Dataset):
    """Pair ``i`` is composed when asked for, so that a resumed run goes on where it stopped.

    Args:
        groups: files of object pictures (RGBA, cropped to what is visible), one sequence a kind of object.
        weights: how often each group is drawn, relative.
        photographs: (N, P, P, 3) uint8 backgrounds.
        size_px: side of the pairs.
        count: how many pairs there are.
        seed: of the whole series.
        first: number of the first pair.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Path]],
        weights: Sequence[float],
        photographs: np.ndarray,
        *,
        size_px: int,
        count: int,
        seed: int,
        first: int = 0,
    ) -> None:
        self.groups, self.weights = groups, np.asarray(weights, float) / np.sum(weights)
        self.photographs, self.size_px, self.count, self.seed, self.first = photographs, size_px, count, seed, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Picture (3, S, S) and alpha (1, S, S), uint8."""
        rng = np.random.default_rng([self.seed, self.first + index])
        rgb, alpha = compose(self._draw_object, self.photographs, self.size_px, rng)
        return torch.from_numpy(rgb).permute(2, 0, 1), torch.from_numpy(alpha)[None]

    def _draw_object(self, rng: np.random.Generator) -> Image.Image:
        group = self.groups[rng.choice(len(self.groups), p=self.weights)]
        with Image.open(group[rng.integers(len(group))]) as picture:
            return picture.convert("RGBA")
