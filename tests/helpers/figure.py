"""A drawn figure, cut out, whose transparent pixels hide a colour that must never show."""

import numpy as np

from zero123pp.images import to_uint8
from zero123pp.types import Cutout

MAGENTA = (255, 0, 255)
SKIN, HAIR, SHIRT, EYE = (0.95, 0.8, 0.7), (0.25, 0.15, 0.1), (0.1, 0.3, 0.8), (0.02, 0.02, 0.05)


def figure(size: int = 256, shift: tuple[float, float] = (0.0, 0.0), scale: float = 1.0) -> Cutout:
    """A head with hair round a face, on a body with a ring of an arm; magenta hides where it is transparent."""
    y, x = np.mgrid[:size, :size] + 0.5
    x, y = ((x / size - 0.5) - shift[0]) / scale, ((y / size - 0.5) - shift[1]) / scale
    px = 1 / (size * scale)

    def cover(distance: np.ndarray) -> np.ndarray:
        return np.clip(0.5 - distance / px, 0, 1)

    head = cover(np.hypot(x, y + 0.2) - 0.2)
    body = cover(np.maximum(np.abs(x) - 0.12, np.abs(y - 0.18) - 0.22))
    arm = cover(np.abs(np.hypot(x - 0.16, y - 0.12) - 0.1) - 0.025)
    alpha = np.maximum(np.maximum(head, body), arm)
    rgb = np.where((y < 0.0)[..., None], HAIR, SHIRT)
    rgb = np.where((np.hypot(x, y + 0.18) < 0.13)[..., None], SKIN, rgb)
    for side in (-1, 1):
        rgb = np.where((np.hypot(x - 0.05 * side, y + 0.2) < 0.02)[..., None], EYE, rgb)
    rgba = np.concatenate([rgb, alpha[..., None]], -1)
    rgba[alpha == 0, :3] = np.divide(MAGENTA, 255)
    return Cutout(to_uint8(rgba))
