"""Photographs out of panoramas: perspective crops of equirectangular environment maps."""

import numpy as np

from zero123pp.images import linear_to_srgb, to_uint8


def perspective_crop(
    panorama: np.ndarray, yaw_deg: float, pitch_deg: float, roll_deg: float, fov_deg: float, size_px: int
) -> np.ndarray:
    """What a camera in the middle of a panorama (H, W, 3) sees: (size_px, size_px, 3), bilinear."""
    half = np.tan(np.deg2rad(fov_deg) / 2)
    x, y = np.meshgrid(*[((np.arange(size_px) + 0.5) / size_px * 2 - 1) * half] * 2)
    roll, pitch = np.deg2rad(roll_deg), np.deg2rad(pitch_deg)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    up, forward = -y * np.cos(pitch) + np.sin(pitch), np.cos(pitch) + y * np.sin(pitch)
    longitude = np.arctan2(x, forward) + np.deg2rad(yaw_deg)
    latitude = np.arctan2(up, np.hypot(x, forward))
    height, width = panorama.shape[:2]
    return _bilinear_wrapped(panorama, (longitude / (2 * np.pi) + 0.5) * width, (0.5 - latitude / np.pi) * height)


def _bilinear_wrapped(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at pixel positions; wraps round in x, stops at the edge in y."""
    height, width = picture.shape[:2]
    x, y = x - 0.5, np.clip(y - 0.5, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    left, right, bottom = left % width, (left + 1) % width, np.minimum(top + 1, height - 1)
    upper = picture[top, left] * (1 - fx) + picture[top, right] * fx
    return upper * (1 - fy) + (picture[bottom, left] * (1 - fx) + picture[bottom, right] * fx) * fy


def tone_map(linear: np.ndarray, exposure_stops: float) -> np.ndarray:
    """Linear light to uint8 sRGB: the median brightness at middle gray, moved by stops, then a soft shoulder."""
    gray = float(np.median(linear.mean(-1)))
    exposed = linear * (0.18 / max(gray, 1e-4) * 2.0**exposure_stops)
    shouldered = exposed * (1 + exposed / 16) / (1 + exposed)  # Reinhard et al. 2002, equation (4), white at 4
    return to_uint8(linear_to_srgb(np.clip(shouldered * 1.4, 0, 1)))


def photograph(panorama: np.ndarray, rng: np.random.Generator, size_px: int) -> np.ndarray:
    """One random photograph (size_px, size_px, 3) uint8 out of a panorama in linear light."""
    crop = perspective_crop(
        panorama,
        yaw_deg=rng.uniform(0, 360),
        pitch_deg=rng.uniform(-40, 20),
        roll_deg=rng.normal(0, 3),
        fov_deg=rng.uniform(45, 105),
        size_px=size_px,
    )
    return tone_map(crop, rng.uniform(-1.0, 1.0))
