"""The colours of the side that the picture does not show, in the picture's own pixels."""

import numpy as np

from zero123pp.errors import BadInput, ConfigError
from zero123pp.images import resize_planes
from zero123pp.pipelines.cutout import cut_out, without_fringe
from zero123pp.pipelines.inputs import read_image
from zero123pp.pipelines.models.back_side import back_side
from zero123pp.pipelines.models.ink import without_ink
from zero123pp.recon.ops import bilinear
from zero123pp.recon.prior import OneViewSolid
from zero123pp.types import Cutout

_SURE = 0.6
"""Alpha from which a pixel of the network's is the object's alone."""

_WORK_PX = 512
"""Side at which a back is guessed; finer than this it knows nothing, and a picture may be much larger."""


def back_of(rgb: np.ndarray, alpha: np.ndarray, solid: OneViewSolid) -> np.ndarray:
    """Colours (S, S, 3) float32 of the back: at large the network's, at the rim the picture's, without a drawn outline.

    Args:
        rgb: (S, S, 3) the picture, with sensible colours outside the object as well.
        alpha: (S, S).
        solid: what the network made of it.
    """
    from PIL import Image
    from scipy.ndimage import distance_transform_edt

    size, work = len(rgb), min(len(rgb), _WORK_PX)
    if work < size:
        rgb = resize_planes(rgb, (work, work), Image.Resampling.BOX)
        alpha = resize_planes(alpha, (work, work), Image.Resampling.BOX)
    crop, guess = solid.crop, np.moveaxis(solid.maps.back_color, 0, -1)
    known = resize_planes(crop.alpha, guess.shape[1::-1], Image.Resampling.BOX) > _SURE
    if known.any():
        rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
        guess = guess[rows, columns]
    places = _pixels(work) * (size / work) - [crop.left, crop.top]
    behind = back_side(without_ink(rgb, alpha), alpha, guess=_looked_up(guess, places * (len(guess) / crop.side)))
    return behind if work == size else resize_planes(behind, (size, size), Image.Resampling.BILINEAR)


def back_picture(path: str, alpha: np.ndarray) -> np.ndarray:
    """Colours (S, S, 3) float32 of the back from a picture of it, mirrored, its object's box laid on that of alpha.

    Raises ConfigError when the file is no picture, or shows no object.
    """
    try:
        cutout = cut_out(read_image(path))
    except BadInput as error:
        raise ConfigError(f"preview.back: {error}") from error
    seen = without_fringe(Cutout(cutout.rgba[:, ::-1], cutout.method))
    (low, high), (their_low, their_high) = _box(alpha), _box(seen[..., 3])
    places = (_pixels(len(alpha)) - low) / (high - low)
    return _looked_up(seen[..., :3], their_low + places * (their_high - their_low))


def _pixels(size: int) -> np.ndarray:
    """(S, S, 2) centres of the pixels of a square picture."""
    return np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), -1)


def _box(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (2,), x and y, of the box round what is opaque."""
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0]]), np.array([columns[-1] + 1, rows[-1] + 1])


def _looked_up(picture: np.ndarray, px: np.ndarray) -> np.ndarray:
    """A picture (H, W, C) at positions (S, S, 2), (S, S, C); its border goes on."""
    return bilinear(picture.astype(np.float32), px.reshape(-1, 2)).reshape(*px.shape[:-1], -1)
