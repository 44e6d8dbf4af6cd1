"""How far a picture is from the true one: signal-to-noise ratio and structural similarity."""

import math

import numpy as np

from zero123pp.errors import BadInput


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures of equal shape with values in [0, 1]; infinite when equal."""
    picture, truth = _pair(picture, truth)
    return decibels(np.mean((picture - truth) ** 2))


def decibels(squared_error: float, most: float = math.inf) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error of values in [0, 1]; at most ``most``."""
    return min(float(-10 * np.log10(squared_error)), most) if squared_error > 0 else most


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of two pictures (H, W, C) with values in [0, 1].

    Uniform 7 px window over each channel, scikit-image's defaults.
    """
    from skimage.metrics import structural_similarity

    picture, truth = _pair(picture, truth)
    return float(structural_similarity(picture, truth, channel_axis=-1, data_range=1.0))


def _pair(picture: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64; BadInput unless the shapes agree and the values are floats."""
    picture, truth = np.asarray(picture), np.asarray(truth)
    if picture.shape != truth.shape:
        raise BadInput(f"pictures of shapes {picture.shape} and {truth.shape} cannot be compared; make them equal")
    if not (np.issubdtype(picture.dtype, np.floating) and np.issubdtype(truth.dtype, np.floating)):
        raise BadInput(f"pictures have types {picture.dtype} and {truth.dtype}; give floats in [0, 1]")
    return picture.astype(np.float64), truth.astype(np.float64)
