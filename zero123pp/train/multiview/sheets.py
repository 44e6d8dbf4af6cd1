"""Sample sheets during training: held-out queries, their true sheets, and what the model draws."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zero123pp.diffusion import trailing_euler_ancestral
from zero123pp.files import make_folder, write_file
from zero123pp.images import encode_png
from zero123pp.train.multiview.dataset import ViewItems
from zero123pp.train.multiview.phases import REFINING
from zero123pp.train.multiview.pictures import first_stage_of, sample_pictures, target_sheet
from zero123pp.train.multiview.state import RunState

SHEETS = 4
"""Objects on a picture."""


def draw_sheets(state: RunState, items: ViewItems, file: Path) -> None:
    """Write one picture: a row for each object, with query, control or first stage (if any), true and sampled sheet.

    The running means of the weights draw, with the same noise at every step of training.
    """
    config, tile = state.config, state.geometry.tile_px
    pool = items.pool
    chosen = pool.numbers[:: max(1, len(pool) // SHEETS)][:SHEETS]
    pipeline, refines = state.as_pipeline(), config.phase in REFINING
    if not refines:
        pipeline.scheduler = trailing_euler_ancestral(pipeline.scheduler)
    rows = []
    with state.weights.averaged():
        for number in chosen:
            query, target, control = sample_pictures(pool.samples[number], config.phase, background=config.background)
            if refines:
                rng = np.random.default_rng([config.seed, number])
                control = first_stage_of(pool.samples[number], target, config, rng)
            sheets = [target_sheet(tiles, tile) for tiles in (control, target) if tiles is not None]
            generator = torch.Generator("cpu").manual_seed(config.seed)
            given = [Image.fromarray(_pixels(picture)) for picture in (query, *sheets)]
            # A refiner draws over the first stage's sheet; it takes its own strength and hardly any guidance.
            extra = {"sheet": given[1]} if refines else {"guidance_scale": config.sample_guidance}
            extra |= {"depth_image": given[1]} if control is not None and not refines else {}
            drawn = pipeline(
                image=given[0], num_inference_steps=config.sample_steps, output_type="np", generator=generator, **extra
            ).images[0]
            shown = _pixels(target_sheet(query[None].expand(6, -1, -1, -1), tile))[:tile, :tile]
            column = np.full((3 * tile, tile, 3), config.background, np.uint8)
            column[:tile] = shown
            rows.append(np.concatenate([column, *map(_pixels, sheets), np.round(drawn * 255).astype(np.uint8)], 1))
    make_folder(file.parent)
    write_file(file, encode_png(np.concatenate(rows)))


def _pixels(picture: torch.Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return np.round(picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
