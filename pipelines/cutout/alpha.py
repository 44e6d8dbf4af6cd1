"""The picture's own transparency as the cutout."""

from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import over, to_float, to_uint8

if TYPE_CHECKING:
    from zero123pp.pipelines.cutout.config import CutoutConfig

MIN_TRANSPARENT = 0.02
"""Share of the picture that must be see-through before its alpha is taken for a cutout, wherever it is."""
MIN_OUTLINE = 0.0003
"""The same where it is a clean outline, see `is_outlined`."""
_MOST_PARTIAL = 0.05
"""Share of half-transparent pixels beyond which an outline is not clean: a vignette's."""


def has_object_alpha(image: np.ndarray) -> bool:
    """Whether the alpha of a picture (H, W, 3|4) uint8 already cuts something out.

    True for a picture without any opaque pixel as well: it is then refused, rather than guessed at.
    """
    if image.shape[2] != 4:
        return False
    return float((image[..., 3] < 128).mean()) >= MIN_TRANSPARENT or is_outlined(image)


def is_outlined(image: np.ndarray) -> bool:
    """Whether a picture that is nearly all opaque is cropped tightly to an object: a clean rim of transparency.

    It is see-through in two corners at least. A single notch is none; what a screenshot's rounded corners are cannot be
    told from the cover of a book.
    """
    if image.shape[2] != 4:
        return False
    alpha = image[..., 3]
    corners = [alpha[row, column] < 128 for row in (0, -1) for column in (0, -1)]
    partial = float(((alpha > 12) & (alpha < 243)).mean())
    return sum(corners) >= 2 and float((alpha < 128).mean()) >= MIN_OUTLINE and partial < _MOST_PARTIAL


def given_alpha(image: np.ndarray, config: "CutoutConfig") -> tuple[np.ndarray, str]:
    """The alpha (H, W) float32 that the picture came with. Raises BadInput when it has none."""
    if image.shape[2] != 4:
        raise BadInput("the picture has no transparency to cut by; set cutout.method=auto, or give a PNG with alpha")
    return to_float(image[..., 3]), "alpha"


def opaque_rgb(image: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3|4) uint8 as a viewer shows it, (H, W, 3) uint8: over white where it is see-through."""
    if image.shape[2] == 3:
        return image
    pixels = to_float(image)
    return to_uint8(over(pixels[..., :3], pixels[..., 3], 1.0))
