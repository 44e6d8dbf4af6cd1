"""Neighbouring pixels along an axis, and what lies between them."""

import numpy as np


def next_pairs(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Each value of a picture (H, W) and its next along an axis, 1 to the right or 0 downwards."""
    return (values[:, :-1], values[:, 1:]) if axis == 1 else (values[:-1], values[1:])


def padded_links(values: np.ndarray, axis: int) -> np.ndarray:
    """(H, W) of values between `next_pairs`; the last along the axis has no next and gets 0."""
    return np.pad(values, ((0, axis == 0), (0, axis == 1)))
