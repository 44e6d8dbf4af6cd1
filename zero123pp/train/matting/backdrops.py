"""Backgrounds to put objects on: photographs, studio sweeps, plain colours, rooms and patterns."""

import numpy as np
from PIL import Image, ImageFilter


def random_backdrop(photographs: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """A random background (size_px, size_px, 3) float32, sRGB in [0, 1].

    Args:
        photographs: (N, P, P, 3) uint8.
        size_px: side of the result.
        rng: source of chance.
    """
    kind = rng.choice(
        ["photo", "white", "plain", "gradient", "room", "pattern"], p=[0.56, 0.13, 0.07, 0.11, 0.06, 0.07]
    )
    if kind == "photo":
        return photo_crop(photographs, size_px, rng)
    if kind == "white":
        return np.full((size_px, size_px, 3), rng.uniform(0.93, 1.0), np.float32)
    if kind == "plain":
        return np.broadcast_to(_colour(rng), (size_px, size_px, 3)).astype(np.float32)
    if kind == "gradient":
        return _gradient(size_px, rng)
    if kind == "room":
        return _room(photographs, size_px, rng)
    return _pattern(photographs, size_px, rng)


def photo_crop(photographs: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """A part of a random photograph, mirrored, turned, blurred and tinted at random."""
    photo = photographs[rng.integers(len(photographs))]
    side = int(photo.shape[0] * rng.uniform(0.45, 1.0))
    left, top = rng.integers(0, photo.shape[0] - side + 1, 2)
    picture = Image.fromarray(photo[top : top + side, left : left + side])
    picture = picture.resize((size_px, size_px), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.12:
        picture = picture.transpose(rng.choice([2, 3, 4]))  # turned by 90, 180 or 270 degrees
    if rng.random() < 0.35:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 5)))
    elif rng.random() < 0.4:  # panoramas are soft when enlarged; real pictures are not
        picture = picture.filter(ImageFilter.UnsharpMask(radius=2, percent=int(rng.uniform(50, 250)), threshold=0))
    pixels = np.asarray(picture, np.float32) / 255
    return np.clip(pixels * rng.normal(1, 0.06, 3), 0, 1).astype(np.float32) ** np.float32(rng.uniform(0.7, 1.4))


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Mostly dull colours, as walls and paper have."""
    gray, tint = rng.uniform(0.03, 1), rng.normal(0, rng.choice([0.02, 0.2]), 3)
    return np.clip(gray + tint, 0, 1).astype(np.float32)


def _gradient(size_px: int, rng: np.random.Generator) -> np.ndarray:
    """A studio sweep: linear or radial from one colour to another, often of the same hue."""
    y, x = np.mgrid[:size_px, :size_px].astype(np.float32) / size_px - 0.5
    if rng.random() < 0.5:
        angle = rng.normal(np.pi / 2, 0.6)
        t = x * np.cos(angle) + y * np.sin(angle) + 0.5
    else:
        t = np.hypot(x - rng.normal(0, 0.2), y - rng.normal(0, 0.2)) * rng.uniform(0.8, 1.6)
    t = np.clip(t, 0, 1)[..., None] ** rng.uniform(0.6, 2)
    first = _colour(rng) if rng.random() < 0.6 else np.full(3, rng.uniform(0.8, 1), np.float32)
    second = np.clip(first * rng.uniform(0.4, 0.95), 0, 1) if rng.random() < 0.7 else _colour(rng)
    return (first * (1 - t) + second * t).astype(np.float32)


def _room(photographs: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """A wall over a floor with a more or less sharp line between them, either plain or textured."""
    wall, floor = (
        _gradient(size_px, rng) if rng.random() < 0.6 else photo_crop(photographs, size_px, rng) for _ in range(2)
    )
    y, x = np.mgrid[:size_px, :size_px].astype(np.float32) / size_px
    below = (y - rng.uniform(0.3, 0.85) + (x - 0.5) * rng.normal(0, 0.1)) * rng.choice([10, 60, 300])
    t = 1 / (1 + np.exp(-np.clip(below, -30, 30)))[..., None]
    return wall * (1 - t) + floor * t


def _pattern(photographs: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Cloth-like noise of random scale over a plain colour, or stripes."""
    base = _colour(rng)
    if rng.random() < 0.3:
        y, x = np.mgrid[:size_px, :size_px].astype(np.float32)
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, size_px / 3)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
        t = np.clip(wave * rng.uniform(0.5, 5) + 0.5, 0, 1)[..., None]
        return (base * (1 - t) + _colour(rng) * t).astype(np.float32)
    cells = int(rng.choice([4, 12, 40, size_px]))
    noise = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    noise = np.asarray(Image.fromarray(noise).resize((size_px, size_px), Image.Resampling.BICUBIC))
    return np.clip(base + noise[..., None] * rng.uniform(0.02, 0.2) * rng.uniform(0.3, 1, 3), 0, 1).astype(np.float32)
