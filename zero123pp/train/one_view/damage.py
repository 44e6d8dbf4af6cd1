"""What happens to pictures before a network sees them: lens, sensor, compression, and cutouts that are wrong."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

JPEG_SHARE = 0.3


def photographed(rgb: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours (S, S, 3) sRGB 0..1 as a camera or a website leaves them."""
    if rng.random() < 0.35:
        gain = np.exp(rng.normal(0, 0.07, 3) + rng.normal(0, 0.12)).astype(np.float32)
        rgb = rgb * gain
    if rng.random() < 0.3:
        rgb = np.clip((rgb - 0.5) * np.float32(rng.uniform(0.7, 1.25)) + 0.5, 0, 1)
    if rng.random() < 0.3:
        sigma = rng.uniform(0.3, 1.0)
        weight = gaussian_filter(alpha, sigma)[..., None]
        rgb = gaussian_filter(rgb * alpha[..., None], (sigma, sigma, 0)) / np.maximum(weight, 1e-3)
    if rng.random() < 0.35:
        rgb = rgb + rng.normal(0, rng.uniform(0, 0.04), rgb.shape).astype(np.float32)
    rgb = np.clip(rgb, 0, 1).astype(np.float32)
    if rng.random() < JPEG_SHARE:
        ground = np.float32(rng.random())
        whole = rgb * alpha[..., None] + ground * (1 - alpha[..., None])
        stream = io.BytesIO()
        Image.fromarray((whole * 255 + 0.5).astype(np.uint8)).save(stream, "JPEG", quality=int(rng.integers(30, 90)))
        decoded = np.asarray(Image.open(stream), np.float32) / 255
        rgb = np.clip((decoded - ground * (1 - alpha[..., None])) / np.maximum(alpha[..., None], 0.25), 0, 1)
    return rgb


def cut_badly(rgb: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A cutout as tools make them: soft or hard, a bit too wide or narrow, now and then eaten or with a leftover.

    Args:
        rgb: (S, S, 3) sRGB 0..1.
        alpha: (S, S) 0..1, true.
        rng: of what goes wrong.

    Returns:
        Colours, with something behind where the cutout is too wide, and the new alpha.
    """
    side, chance = len(alpha), rng.random()
    if chance < 0.5:
        return rgb, alpha
    behind = _backdrop(rng, side)
    full = rgb * alpha[..., None] + behind * (1 - alpha[..., None])
    if chance < 0.85:  # the edge is a little off, softly so
        soft = uniform_filter(alpha, 3)
        shift = np.float32(rng.normal(0, 0.2))
        return full, np.clip((soft - 0.5) * np.float32(rng.uniform(1, 4)) + 0.5 + shift, 0, 1)
    blob = gaussian_filter(rng.normal(size=(side, side)).astype(np.float32), side * rng.uniform(0.03, 0.09))
    blob /= max(np.abs(blob).max(), 1e-6)
    if chance < 0.93:  # eaten
        hole = blob > np.quantile(blob, rng.uniform(0.88, 0.99))
        return full, np.where(hole, 0, alpha)
    near = gaussian_filter(alpha, side * 0.05) > 0.15
    extra = (blob > np.quantile(blob, rng.uniform(0.85, 0.97))) & near
    return full, np.maximum(alpha, extra * np.float32(rng.uniform(0.6, 1)))


def _backdrop(rng: np.random.Generator, side: int) -> np.ndarray:
    """A soft mixture of two colours."""
    a, b = rng.random(3).astype(np.float32), rng.random(3).astype(np.float32)
    mix = gaussian_filter(rng.random((side, side)).astype(np.float32), side * 0.1)
    mix = (mix - mix.min()) / max(np.ptp(mix), 1e-6)
    return a * mix[..., None] + b * (1 - mix[..., None])
