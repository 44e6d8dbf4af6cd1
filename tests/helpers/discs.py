"""Soft discs and pictures of them."""

import numpy as np

from zero123pp.images import over, to_uint8

RED, GREEN = np.array([0.9, 0.1, 0.1]), np.array([0.1, 0.8, 0.2])


def soft_disc(
    size: int = 200, centre: tuple[float, float] = (90, 110), radius: float = 50, soft: float = 6
) -> np.ndarray:
    """Alpha (size, size) of a disc whose edge is ``soft`` px wide."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / soft + 0.5, 0, 1).astype(np.float32)


def disc_picture(background=(1.0, 1.0, 1.0), **options) -> np.ndarray:
    """A red disc on a plain background (H, W, 3) uint8."""
    alpha = soft_disc(**options)
    return to_uint8(over(np.broadcast_to(RED, (*alpha.shape, 3)), alpha, np.asarray(background)))
