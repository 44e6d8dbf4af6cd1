"""The square of a cutout that the network reads, and the network's input channels; shared by training and use."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from zero123pp.images import resize_rgba
from zero123pp.types import ByContent

MARGIN = 1.14
"""Side of the square over the longer side of the box round the object."""

OBJECT = 0.5
"""Alpha from which a pixel is the object's."""


@dataclass(frozen=True, eq=False)
class Crop(ByContent):
    """A square piece of a cutout, resampled; it may reach beyond the cutout, where nothing is."""

    rgb: np.ndarray
    """(N, N, 3) float32 straight sRGB in [0, 1]."""
    alpha: np.ndarray
    """(N, N) float32 in [0, 1]."""
    left: float
    top: float
    side: float
    """Where it lies in the cutout, px."""


def square_round(alpha: np.ndarray) -> tuple[float, float, float]:
    """Left, top and side, px, of the square round the object of alpha (H, W), which has one."""
    rows, columns = np.nonzero((alpha > OBJECT).any(1))[0], np.nonzero((alpha > OBJECT).any(0))[0]
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    side = MARGIN * max(height, width)
    return (columns[0] + columns[-1] + 1 - side) / 2, (rows[0] + rows[-1] + 1 - side) / 2, side


def cropped(rgba: np.ndarray, square: tuple[float, float, float], size: int) -> Crop:
    """The square (left, top, side, px) of a straight cutout (S, S, 4) float32, at ``size`` x ``size``."""
    left, top, side = square
    beyond = int(np.ceil(max(0, -left, -top, left + side - rgba.shape[1], top + side - rgba.shape[0])))
    padded = np.pad(rgba, ((beyond, beyond), (beyond, beyond), (0, 0)))
    box = (left + beyond, top + beyond, left + beyond + side, top + beyond + side)
    small = np.clip(resize_rgba(padded, (size, size), Image.Resampling.BOX, box), 0, 1)
    return Crop(np.ascontiguousarray(small[..., :3]), np.ascontiguousarray(small[..., 3]), left, top, side)


def network_input(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(5, S, S) float32: the colours over mid-grey, alpha, and the distance from the outline.

    Args:
        rgb: (S, S, 3) straight sRGB in [0, 1].
        alpha: (S, S) in [0, 1].
    """
    from zero123pp.recon.fitting import signed_distance

    coverage = alpha[..., None]
    over_gray = ((rgb * coverage + 0.5 * (1 - coverage)) * 255 - 127) / 128
    inwards = -signed_distance(np.ascontiguousarray(alpha, np.float32)) * np.float32(2 / len(alpha))
    channels = [over_gray, coverage * 2 - 1, np.clip(inwards, -1, 1)[..., None] * 2]
    return np.concatenate(channels, -1).transpose(2, 0, 1).astype(np.float32)
