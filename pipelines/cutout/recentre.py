"""Scaling and centring of pictures with transparency, without bleeding of hidden colours into visible ones."""

import math

import numpy as np
from PIL import Image

from zero123pp.images import resize_rgba, to_float, to_uint8

BOX_ALPHA = 0.05
"""Alpha below this does not widen the box of the object: haze and compression noise are not the object."""


def object_box(alpha: np.ndarray) -> tuple[int, int, int, int]:
    """Box (left, top, right, bottom), px, right and bottom exclusive, of what is visible in alpha (H, W)."""
    rows, columns = np.flatnonzero((alpha > BOX_ALPHA).any(axis=1)), np.flatnonzero((alpha > BOX_ALPHA).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def limit_size(image: np.ndarray, longest_px: int) -> np.ndarray:
    """A picture (H, W, 3|4) uint8 scaled down to at most ``longest_px`` on its longer side."""
    height, width = image.shape[:2]
    if max(height, width) <= longest_px:
        return image
    scale = longest_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    return to_uint8(_lanczos(to_float(image), size, (0, 0, width, height)))


def _lanczos(rgba: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """`zero123pp.images.resize_rgba` by Lanczos, in [0, 1]."""
    # Under half of an 8-bit step nothing is visible, and the quotient would be noise.
    return np.clip(resize_rgba(rgba, size, Image.Resampling.LANCZOS, box, least=0.5 / 255), 0, 1)


def recentre(rgba: np.ndarray, ratio: float, size_px: int) -> np.ndarray:
    """The visible part of a picture in the middle of a transparent square.

    The side of the square is ``max(width, height) / ratio`` of the object's box (zero123plus examples,
    InstantMesh's ``resize_foreground``), resampled to ``size_px``.

    Args:
        rgba: (H, W, 4) float32 in [0, 1], straight alpha, with something visible in it.
        ratio: longer side of the object over the side of the square, in (0, 1].
        size_px: side of the result, px.

    Returns:
        (size_px, size_px, 4) float32 in [0, 1], straight alpha.
    """
    left, top, right, bottom = object_box(rgba[..., 3])
    side = max(right - left, bottom - top) / ratio
    centre = np.array([left + right, top + bottom]) / 2
    margin = math.ceil(side / 2) + 1  # room for the whole square whatever the box
    crop = rgba[top:bottom, left:right]
    padded = np.pad(crop, ((margin, margin), (margin, margin), (0, 0)))
    x, y = centre - np.array([left, top]) + margin
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return _lanczos(padded, (size_px, size_px), box)
