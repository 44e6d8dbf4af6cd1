"""The start of a small model that is trained from nothing: built once from the data, then kept in the run's folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from zero123pp.diffusion import resized
from zero123pp.errors import BadInput
from zero123pp.files import make_folder, recover_folder, whole_folder
from zero123pp.train import WEIGHT_ERRORS, append_log
from zero123pp.train.multiview.codec import codec_quality, fit_decoder, set_encoder
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.dataset import Pool
from zero123pp.train.multiview.pictures import sample_pictures
from zero123pp.train.multiview.small import MINI, SmallModel, small_pipeline

SMALL: dict[str, SmallModel] = {"mini": MINI}
"""Small models by the name that ``start`` has in a config."""

_STATISTICS_SAMPLES = 64
"""Samples whose tiles give the principal components."""


def build_start(
    folder: Path,
    data: str | Path | None,
    config: ViewsTrainConfig,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write the small model ``config.start`` with a VAE fitted to the data, unless ``folder`` has it already.

    Args:
        folder: receives a checkpoint in the public layout, whole or not at all.
        data: folder of samples; None where ``folder`` is known to be there.
        config: of the run; names the model and says how long the decoder is fitted.
        progress: called with the fraction done.

    Raises:
        BadInput: no such model, samples of tiles smaller than the model's, or no data to build it from.
    """
    recover_folder(folder)
    if (folder / "model_index.json").is_file():
        return folder
    if data is None:
        raise BadInput(f"there is no {folder}, and without --data it cannot be built")
    shape = SMALL[config.start]
    pipeline = small_pipeline(shape, config.seed)
    tiles = Tiles(data, config, shape.tile_px)
    set_encoder(pipeline.vae, tiles(0, _STATISTICS_SAMPLES))
    make_folder(folder.parent)
    _fit(pipeline.vae, tiles, data, config, folder.parent, progress)
    with whole_folder(folder, errors=WEIGHT_ERRORS) as temporary:
        pipeline.save_pretrained(temporary)
    return folder


def refit_decoder(
    folder: Path, data: str | Path, config: ViewsTrainConfig, progress: Callable[[float], None] | None = None
) -> dict[str, float]:
    """Fit the decoder of a small model ``config.codec_steps`` further; its latents, and so a UNet's use of them, stay.

    Args:
        folder: what `build_start` made.
        data: folder of samples.
        config: of the run.
        progress: called with the fraction done.

    Returns:
        `zero123pp.train.multiview.codec.codec_quality` on held-out meshes.

    Raises:
        BadInput: no such folder, or samples of tiles smaller than the model's.
    """
    recover_folder(folder / "vae")
    if not (folder / "vae" / "config.json").is_file():
        raise BadInput(f"{folder} has no vae/ whose decoder could be fitted; train first")
    vae = AutoencoderKL.from_pretrained(folder / "vae").float()
    quality = _fit(vae, Tiles(data, config, SMALL[config.start].tile_px), data, config, folder.parent, progress)
    with whole_folder(folder / "vae", errors=WEIGHT_ERRORS) as temporary:
        vae.save_pretrained(temporary)
    return quality


def _fit(
    vae: AutoencoderKL, tiles: "Tiles", data: str | Path, config: ViewsTrainConfig, run: Path,
    progress: Callable[[float], None] | None,
) -> dict[str, float]:  # fmt: skip
    """Fit the decoder to fixed latents; its quality goes into the run's codec.jsonl."""
    fit_decoder(vae, lambda step: tiles(step + 1, config.codec_batch), config.codec_steps, progress=progress)
    quality = codec_quality(vae, Tiles(data, config, tiles.size, held_out=True)(0, _STATISTICS_SAMPLES))
    append_log(run / "codec.jsonl", {"steps": config.codec_steps, **quality})
    return quality


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
