"""The second stage: a drawn sheet is drawn over, finer, by a trained refiner or by any other checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.diffusion import hub
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import expanded
from zero123pp.images import tile_sheet, to_float, untile_sheet
from zero123pp.pipelines.inputs import key_background
from zero123pp.pipelines.models import licences
from zero123pp.pipelines.models.any_checkpoint import IMAGE_TO_IMAGE, finite_picture, open_checkpoint, reported
from zero123pp.pipelines.models.groups import Progress, part
from zero123pp.pipelines.models.options import ModelOptions
from zero123pp.pipelines.models.to_device import to_device
from zero123pp.recon.ops import device_of
from zero123pp.types import Cutout

if TYPE_CHECKING:
    from zero123pp.diffusion import SheetRefinerPipeline

STEPS = 8
"""Steps that are made over a sheet."""

STRENGTH = 0.3
"""Of checkpoints that were trained for something else: shapes stay, fine texture is drawn anew."""

TILE_PX = 512
"""Side of a view for such checkpoints."""

PROMPT = "one object, sharp, finely detailed, plain gray background"

_MARGIN_PX = 4
"""Round the object of the first stage, of a 320 px tile, in which a refiner may paint; its background stays plain."""


@dataclass(frozen=True)
class Refiner:
    """Draws sheets over; made by `load_refiner`."""

    pipeline: object
    """`SheetRefinerPipeline`, or a pipeline of diffusers' own."""
    name: str
    licence: str
    options: ModelOptions
    is_trained: bool
    """Whether it was trained for sheets."""

    def __call__(
        self, sheets: Sequence[np.ndarray], cutouts: Sequence[Cutout], seeds: Sequence[int],
        progress: Progress | None = None,
    ) -> list[np.ndarray]:  # fmt: skip
        """The sheets drawn over.

        Args:
            sheets: (3 S, 2 S, 3) uint8 of the first stage, on a plain background.
            cutouts: what they were drawn from.
            seeds: of each.
            progress: called with the fraction done.

        Returns:
            (3 T, 2 T, 3) uint8 each, T the refiner's own or `TILE_PX`; the background is as plain as it was.
        """
        drawn = []
        for number, (sheet, cutout, seed) in enumerate(zip(sheets, cutouts, seeds, strict=True)):
            tick = part(progress, number / len(sheets), (number + 1) / len(sheets))
            way = self._by_network if self.is_trained else self._by_stranger
            drawn.append(with_plain_background(way(sheet, cutout, seed, tick), sheet))
            if tick is not None:
                tick(1.0)
        return drawn

    def _by_network(self, sheet: np.ndarray, cutout: Cutout, seed: int, progress: Progress | None) -> np.ndarray:
        import torch

        pipeline: SheetRefinerPipeline = self.pipeline
        strength = self.options.refiner_strength or pipeline.strength
        steps, draws = self.options.refiner_steps or STEPS, self.options.refiner_draws or 1
        return np.asarray(
            pipeline(
                sheet, np.asarray(cutout.rgba), mode=self.options.refiner_mode, strength=strength, draws=draws,
                num_inference_steps=max(steps, round(steps / strength)),
                generator=torch.Generator("cpu").manual_seed(seed), **reported(pipeline, progress, steps),
            ).images[0]
        )  # fmt: skip

    def _by_stranger(self, sheet: np.ndarray, cutout: Cutout, seed: int, progress: Progress | None) -> np.ndarray:
        import torch
        from PIL import Image

        whole = self.options.refiner_mode == "sheet"
        strength, steps = self.options.refiner_strength or STRENGTH, self.options.refiner_steps or STEPS
        tiles = larger_tiles(sheet, TILE_PX)
        pictures, drawn = [tile_sheet(tiles)] if whole else list(tiles), []
        common = {"strength": strength, "num_inference_steps": ceil(steps / strength), "output_type": "np"}
        for number, picture in enumerate(pictures):
            tick = part(progress, number / len(pictures), (number + 1) / len(pictures))
            result = self.pipeline(
                PROMPT, image=Image.fromarray(picture), generator=torch.Generator("cpu").manual_seed(seed),
                **common, **reported(self.pipeline, tick, steps),
            ).images[0]  # fmt: skip
            finished = finite_picture(result, self.name, IMAGE_TO_IMAGE)
            if finished.shape != picture.shape:
                raise BadInput(
                    f"{self.name!r} drew {finished.shape[1]}x{finished.shape[0]} px over a picture of "
                    f"{picture.shape[1]}x{picture.shape[0]} px; --refiner needs one that keeps the size"
                )
            drawn.append(finished)
        return drawn[0] if whole else tile_sheet(np.stack(drawn))


def load_refiner(source: str | Path, options: ModelOptions, dtype: object) -> Refiner:
    """The refiner of a folder or hub id: one of Zero123++'s layout, or else diffusers' image-to-image of it.

    Args:
        source: folder or hub id.
        options: of the first stage, which the refiner shares: device, memory, downloads.
        dtype: of a trained refiner's weights.

    Raises:
        BadInput: there is none, or it cannot be used.
        MissingBackend: it is not here and must not be fetched, or a library is missing.
    """
    source = str(source)
    place = device_of(options.device)
    if not _is_trained(source, options):
        if options.refiner_draws is not None:
            raise BadInput(f"{source!r} is no trained refiner, and the mean of its drawings would be a blur; leave out "
                           "refiner_draws")  # fmt: skip
        pipeline = open_checkpoint(source, IMAGE_TO_IMAGE, device=options.device, allow_download=options.allow_download)
        return Refiner(pipeline, source, licences.licence_of(source), options, is_trained=False)
    from zero123pp.diffusion import SheetRefinerPipeline

    pipeline = SheetRefinerPipeline.from_pretrained(
        source, torch_dtype=dtype, local_files_only=not options.allow_download, on_download=licences.announce
    )
    pipeline.set_progress_bar_config(disable=True)
    to_device(pipeline, place, options)
    if place.type == "cpu":
        pipeline.accelerate()
    return Refiner(pipeline, source, licences.licence_of(source), options, is_trained=True)


def _is_trained(source: str, options: ModelOptions) -> bool:
    """Whether a folder, or the hub's repository, is a refiner of Zero123++'s layout."""
    from zero123pp.diffusion import loading  # imports diffusers

    folder = expanded(source)
    if not folder.is_dir():
        if not hub.is_hub_id(source):
            raise BadInput(f"there is no refiner {source!r}; give a folder or a hub id like 'owner/name'")
        try:
            folder = hub.find_checkpoint(source, hub.PIPELINE, local_files_only=not options.allow_download)
        except (BadInput, MissingBackend):
            return False  # diffusers looks for it, and says what is missing
    index = folder / "model_index.json"
    return index.is_file() and loading.read_json(index).get("_class_name") == loading.REFINER


def larger_tiles(sheet: np.ndarray, size: int) -> np.ndarray:
    """The tiles of a sheet at another size, (6, size, size, 3) uint8; each resampled for itself."""
    from PIL import Image

    tiles = untile_sheet(np.asarray(sheet)[..., :3])
    return np.stack(
        [np.asarray(Image.fromarray(tile).resize((size, size), Image.Resampling.BICUBIC)) for tile in tiles]
    )


def with_plain_background(drawn: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    """What was drawn near the first stage's object; elsewhere the background that it had."""
    from scipy import ndimage

    size = drawn.shape[1] // 2
    tiles = to_float(untile_sheet(sheet[..., :3]))
    border = np.concatenate([tiles[:, 0], tiles[:, -1], tiles[:, :, 0], tiles[:, :, -1]], axis=1).reshape(-1, 3)
    plain = np.round(np.median(border, axis=0) * 255).astype(np.uint8)
    _, alpha = key_background(tiles)
    margin = max(1, round(_MARGIN_PX * tiles.shape[1] / 320))
    near = [ndimage.binary_dilation(each > 0, iterations=margin) for each in alpha]
    masks = larger_tiles(tile_sheet(np.stack(near).astype(np.uint8)[..., None] * np.full(3, 255, np.uint8)), size)
    kept = masks[..., :1] > 127
    return tile_sheet(np.where(kept, untile_sheet(drawn), plain))
