"""Sample sheets during training: held-out queries, their true sheets, and what the model draws."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zero123pp.diffusion import trailing_euler_ancestral
from zero123pp.files import make_folder, write_file
from zero123pp.images import encode_png
from zero123pp.train.multiview.dataset import ViewItems
from zero123pp.train.multiview.pictures import sample_pictures, target_sheet
from zero123pp.train.multiview.state import RunState

SHEETS = 4
"""Objects on a picture."""


def draw_sheets(state: RunState, items: ViewItems, file: Path) -> None:
    """Write one picture: a row for each object, with query, control (if any), true sheet and sampled sheet.

    The running means of the weights draw, with the same noise at every step of training.
    """
    config, tile = state.config, state.geometry.tile_px
    pool = items.pool
    chosen = pool.numbers[:: max(1, len(pool) // SHEETS)][:SHEETS]
    pipeline = state.as_pipeline()
    pipeline.scheduler = trailing_euler_ancestral(pipeline.scheduler)
    rows = []
    with state.weights.averaged():
        for number in chosen:
            query, target, control = sample_pictures(pool.samples[number], config.phase, background=config.background)
            sheets = [target_sheet(tiles, tile) for tiles in (control, target) if tiles is not None]
            generator = torch.Generator("cpu").manual_seed(config.seed)
            extra = {"depth_image": Image.fromarray(_pixels(sheets[0]))} if control is not None else {}
            drawn = pipeline(
                Image.fromarray(_pixels(query)), num_inference_steps=config.sample_steps, output_type="np",
                guidance_scale=config.sample_guidance, generator=generator, **extra,
            ).images[0]  # fmt: skip
            shown = _pixels(target_sheet(query[None].expand(6, -1, -1, -1), tile))[:tile, :tile]
            column = np.full((3 * tile, tile, 3), config.background, np.uint8)
            column[:tile] = shown
            rows.append(np.concatenate([column, *map(_pixels, sheets), np.round(drawn * 255).astype(np.uint8)], 1))
    make_folder(file.parent)
    write_file(file, encode_png(np.concatenate(rows)))


def _pixels(picture: torch.Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return np.round(picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
