"""Foreground colours at soft edges, so that no halo of the old background stays."""

import numpy as np


def estimate_foreground(rgb: np.ndarray, alpha: np.ndarray, radii_px: tuple[int, ...] | None = None) -> np.ndarray:
    """Colours F of the compositing equation I = alpha F + (1 - alpha) B, by blur fusion.

    Forte (2021), "Approximate Fast Foreground Colour Estimation", ICIP: F and B are first the blurred colours of
    either side, weighted by alpha, then F takes up what the equation leaves over; wide first, then narrow.

    Args:
        rgb: picture I (H, W, 3) float32, sRGB in [0, 1].
        alpha: (H, W) float32 in [0, 1].
        radii_px: radii of the blurs; from the size of the picture when not given.

    Returns:
        F (H, W, 3) float32 in [0, 1]; colours of the nearby object where alpha is 0.
    """
    if radii_px is None:
        radii_px = (max(3, round(max(alpha.shape) * 0.04)), max(2, round(max(alpha.shape) * 0.005)))
    a = alpha[..., None].astype(np.float32)
    foreground = background = rgb
    for number, radius in enumerate(radii_px):
        # The first blur sees mixed colours: steep weights keep them out where there are pure ones.
        power = 4 if number == 0 else 1
        foreground, background = _fuse(rgb, foreground, background, a, radius, power)
    return np.where(a == 1, rgb, foreground)


def _fuse(
    rgb: np.ndarray, foreground: np.ndarray, background: np.ndarray, a: np.ndarray, radius: int, power: int
) -> tuple[np.ndarray, np.ndarray]:
    """One round of the scheme: blurred colours of both sides, and what they leave of the picture."""
    blurred_foreground = _weighted_blur(foreground, a**power, radius)
    blurred_background = _weighted_blur(background, (1 - a) ** power, radius)
    left_over = rgb - a * blurred_foreground - (1 - a) * blurred_background
    return np.clip(blurred_foreground + a * left_over, 0, 1), blurred_background


def _weighted_blur(values: np.ndarray, weight: np.ndarray, radius: int) -> np.ndarray:
    """Box blur of (H, W, C) with weights (H, W, 1); the nearest known value where all weights are 0."""
    from scipy import ndimage

    size = (2 * radius + 1, 2 * radius + 1, 1)
    total = np.clip(ndimage.uniform_filter(weight, size, mode="nearest"), 0, None)
    known = total[..., 0] > 1e-4
    if not known.any():
        return values
    mean = ndimage.uniform_filter(values * weight, size, mode="nearest") / np.maximum(total, 1e-4)
    if not known.all():
        rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        mean = mean[rows, columns]
    return np.clip(mean, 0, 1).astype(np.float32)
