"""Rendered samples to the pictures that the networks see in training, as sampling would show them."""

import numpy as np
import torch
from PIL import Image

from zero123pp.diffusion import depth_picture, on_gray, resized
from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet, untile_sheet
from zero123pp.render import ViewSample
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.first_stage import drawn_tiles, worsened
from zero123pp.train.multiview.phases import Phase


def query_picture(rgb: torch.Tensor, size: int) -> Image.Image:
    """A query (3, S, S) in [0, 1] as a picture of another resolution; the size 0 leaves it as it is."""
    pixels = resized(rgb[None], size or rgb.shape[-1])[0].mul(255).byte()
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def target_sheet(tiles: torch.Tensor, size: int) -> torch.Tensor:
    """Tiles (6, 3, S, S) in [0, 1] as one sheet (3, 3 size, 2 size); a single one as itself."""
    tiles = resized(tiles, size)
    if len(tiles) == 1:
        return tiles[0]
    return torch.from_numpy(tile_sheet(tiles.permute(0, 2, 3, 1).numpy())).permute(2, 0, 1).contiguous()


def sample_pictures(
    sample: ViewSample, phase: Phase, *, background: int, channels: tuple[int, ...] = (0, 1, 2)
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Query, target tiles and control tiles of a sample.

    Args:
        sample: as rendered.
        phase: decides what is target and what is control.
        background: gray behind the object.
        channels: order of the colour channels, for pictures of other colours.

    Returns:
        Query (3, S, S), target (6, 3, T, T) and, for a ControlNet, control (6, 3, T, T), all float32 in [0, 1].

    Raises:
        BadInput: the sample lacks what the phase needs.
    """
    query = _tensor(np.asarray(on_gray(sample.query, background=background))[None][..., channels])[0]
    views = _tensor(untile_sheet(np.asarray(on_gray(sample.sheet, background=background)))[..., channels])
    if phase == "depth":
        return query, views, _depths(sample)
    if phase == "normals":
        if sample.normals is None:
            raise BadInput(f"sample {sample.key} has no normals; render the shards with them")
        return query, _tensor(untile_sheet(sample.normals)), views
    return query, views, None


def first_stage_of(
    sample: ViewSample, target: torch.Tensor, config: ViewsTrainConfig, rng: np.random.Generator,
    which: slice | list[int] = slice(None), *, channels: tuple[int, ...] = (0, 1, 2),
) -> torch.Tensor:  # fmt: skip
    """What a refiner is to draw over: tiles (n, 3, T, T) in [0, 1] of the first stage.

    Args:
        sample: as rendered.
        target: its true tiles (6, 3, S, S), in the order ``channels``.
        config: says where the first stage's sheets are, or how it errs.
        rng: of the errors.
        which: of the six tiles.
        channels: order of the colour channels.
    """
    drawn = drawn_tiles(config.first_stage, sample.key, config.background) if config.first_stage else None
    if drawn is not None:
        return drawn[which][:, list(channels)]
    alpha = torch.from_numpy(untile_sheet(sample.sheet[..., 3])).float()[:, None] / 255
    return worsened(target[which], alpha[which], config.errors, rng)


def _depths(sample: ViewSample) -> torch.Tensor:
    if sample.depth is None:
        raise BadInput(f"sample {sample.key} has no depth; render the shards with it")
    # The control sheet is always on mid-gray, see `zero123pp.diffusion.control.control_pixels`.
    return _tensor(np.stack([np.asarray(on_gray(depth_picture(depth))) for depth in untile_sheet(sample.depth)]))


def _tensor(pictures: np.ndarray) -> torch.Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255))
