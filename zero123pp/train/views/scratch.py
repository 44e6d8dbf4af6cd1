"""The start of a small model that is trained from nothing: built once from the data, then kept in the run's folder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from zero123pp.errors import BadInput
from zero123pp.train.views.codec import codec_quality, fit_decoder, set_encoder
from zero123pp.train.views.config import ViewsTrainConfig
from zero123pp.train.views.dataset import Pool
from zero123pp.train.views.log import append_log
from zero123pp.train.views.pictures import resized, sample_pictures
from zero123pp.train.views.small import MINI, SmallModel, small_pipeline

SMALL: dict[str, SmallModel] = {"mini": MINI}
"""Small models by the name that ``start`` has in a config."""

_STATISTICS_SAMPLES = 64
"""Samples whose tiles give the principal components."""


def build_start(
    folder: Path, data: str | Path, config: ViewsTrainConfig, progress: Callable[[float], None] | None = None
) -> Path:
    """Write the small model ``config.start`` with a VAE fitted to the data, unless ``folder`` has it already.

    Args:
        folder: receives a checkpoint in the public layout, whole or not at all.
        data: folder of samples.
        config: of the run; names the model and says how long the decoder is fitted.
        progress: called with the fraction done.

    Raises:
        BadInput: no such model, or samples of tiles smaller than the model's.
    """
    if (folder / "model_index.json").is_file():
        return folder
    shape = SMALL[config.start]
    pipeline = small_pipeline(shape, config.seed)
    tiles = Tiles(data, config, shape.tile_px)
    set_encoder(pipeline.vae, tiles(0, _STATISTICS_SAMPLES))
    fit_decoder(pipeline.vae, lambda step: tiles(step + 1, config.codec_batch), config.codec_steps, progress=progress)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unseen = Tiles(data, config, shape.tile_px, held_out=True)
    quality = codec_quality(pipeline.vae, unseen(0, _STATISTICS_SAMPLES))
    append_log(folder.parent / "codec.jsonl", {"steps": config.codec_steps, **quality})
    pipeline.save_pretrained(temporary)
    os.replace(temporary, folder)
    return folder


class Tiles:
    """Pictures for the VAE: target views and queries of meshes, each draw a function of its number."""

    def __init__(self, data: str | Path, config: ViewsTrainConfig, size: int, *, held_out: bool = False) -> None:
        """Opens the folder of samples; pictures come out ``size`` px wide."""
        self.pool = Pool(data, held_out=held_out, balance=config.balance)
        self.config, self.size = config, size
        if not len(self.pool):
            raise BadInput(f"{data} has no samples of {'held-out' if held_out else 'training'} meshes")

    def __call__(self, number: int, samples: int) -> torch.Tensor:
        """The ``number``-th draw: (7 samples, 3, S, S) in [0, 1], colours permuted as often as in training."""
        rng = np.random.default_rng([self.config.seed, 2, number])
        pictures = []
        for _ in range(samples):
            at = self.pool.at(int(rng.integers(2**40)), self.config.seed)
            channels = tuple(rng.permutation(3)) if rng.random() < self.config.recolour else (0, 1, 2)
            query, views, _ = sample_pictures(
                self.pool.samples[at], "all", background=self.config.background, channels=channels
            )
            pictures += [resized(query[None], self.size), resized(views, self.size)]
        return torch.cat(pictures)
