"""Photographs out of panoramas: perspective crops of equirectangular environment maps."""

from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import linear_to_srgb, to_uint8


def read_hdr(path: str | Path) -> np.ndarray:
    """A Radiance RGBE picture (H, W, 3) float32, linear light.

    Reads the run-length layout that all current tools write (Ward, "Real Pixels", Graphics Gems II).

    Raises:
        BadInput: the file is no such picture.
    """
    data = Path(path).read_bytes()
    header, separator, rest = data.partition(b"\n\n")
    line, _, pixels = rest.partition(b"\n")
    words = line.split()
    if not header.startswith(b"#?") or not separator or len(words) != 4 or words[0] != b"-Y" or words[2] != b"+X":
        raise BadInput(f"{path} is not a Radiance .hdr panorama")
    height, width = int(words[1]), int(words[3])
    rgbe = np.empty((height, 4, width), np.uint8)
    at = 0
    for row in range(height):
        if pixels[at : at + 2] != b"\x02\x02":
            raise BadInput(f"{path}: row {row} is not run-length coded; convert the panorama with a current tool")
        at += 4
        for channel in range(4):
            at = _read_run_lengths(pixels, at, rgbe[row, channel])
    mantissa, exponent = rgbe[:, :3].astype(np.float32), rgbe[:, 3].astype(np.int32)
    return (mantissa * np.ldexp(np.float32(1), exponent - 136)[:, None]).transpose(0, 2, 1)


def _read_run_lengths(data: bytes, at: int, out: np.ndarray) -> int:
    """Fills one channel of a row; returns where the next begins."""
    done = 0
    while done < len(out):
        count = data[at]
        if count > 128:
            out[done : done + count - 128] = data[at + 1]
            done, at = done + count - 128, at + 2
        else:
            out[done : done + count] = np.frombuffer(data, np.uint8, count, at + 1)
            done, at = done + count, at + 1 + count
    return at


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
