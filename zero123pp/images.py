"""Array pictures: sheets of tiles, sRGB and linear light, alpha over colour, 8 bits and floats."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.errors import BadInput

GRAY_BACKGROUND = 127
"""The 8-bit gray on which Zero123++ pastes its input and draws its sheets."""


def tile_sheet(tiles: np.ndarray, rows: int = 3, columns: int = 2) -> np.ndarray:
    """Tiles (rows * columns, S, S, ...) to one sheet (rows * S, columns * S, ...), row-major."""
    tiles = np.asarray(tiles)
    if tiles.ndim < 3 or tiles.shape[0] != rows * columns or tiles.shape[1] != tiles.shape[2]:
        raise BadInput(f"tiles have shape {tiles.shape}; expected ({rows * columns}, S, S, ...)")
    size, rest = tiles.shape[1], tiles.shape[3:]
    grid = tiles.reshape(rows, columns, size, size, *rest)
    return np.swapaxes(grid, 1, 2).reshape(rows * size, columns * size, *rest)


def untile_sheet(sheet: np.ndarray, rows: int = 3, columns: int = 2) -> np.ndarray:
    """A sheet (rows * S, columns * S, ...) to its tiles (rows * columns, S, S, ...). Inverse of `tile_sheet`."""
    sheet = np.asarray(sheet)
    height, width, *rest = sheet.shape
    size = width // columns
    if size == 0 or width % columns or height != rows * size:
        raise BadInput(
            f"sheet is {width}x{height} px; expected {columns} columns x {rows} rows of square tiles, "
            f"for example {columns * 320}x{rows * 320}"
        )
    return np.swapaxes(sheet.reshape(rows, size, columns, size, *rest), 1, 2).reshape(rows * columns, size, size, *rest)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 0..255 to float32 [0, 1]."""
    return np.asarray(pixels, np.float32) / np.float32(255)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Floats, clipped to [0, 1], to uint8 by rounding."""
    return np.round(np.clip(np.asarray(values, np.float32), 0, 1) * 255).astype(np.uint8)


def over(rgb: np.ndarray, alpha: np.ndarray, background: float | np.ndarray) -> np.ndarray:
    """Straight-alpha colour (..., 3) with alpha (...,) over a background colour, all in the same space."""
    a = np.asarray(alpha)[..., None]
    return np.asarray(rgb) * a + np.asarray(background) * (1 - a)


def premultiply(rgba: np.ndarray) -> np.ndarray:
    """Straight RGBA (..., 4) to colour times alpha, and alpha."""
    rgba = np.asarray(rgba)
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1)


def unpremultiply(rgba: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """Inverse of `premultiply`; where alpha is below ``least``, colours stay as dark as they are beside it."""
    rgba = np.asarray(rgba)
    return np.concatenate([rgba[..., :3] / np.maximum(rgba[..., 3:], least), rgba[..., 3:]], axis=-1)


def resize_planes(
    values: np.ndarray,
    size: tuple[int, int],
    how: int,
    box: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """Floats (H, W) or (H, W, C), each channel resampled on its own by Pillow.

    Args:
        values: of any range.
        size: (width, height) of the result, px.
        how: one of `PIL.Image.Resampling`.
        box: (left, top, right, bottom) inside the picture, px, may be fractional; None: all of it.

    Returns:
        (height, width) or (height, width, C) float32.
    """
    from PIL import Image

    planes = np.moveaxis(np.asarray(values, np.float32), -1, 0) if values.ndim == 3 else [values]
    small = [np.asarray(Image.fromarray(np.ascontiguousarray(p, np.float32)).resize(size, how, box)) for p in planes]
    return np.stack(small, axis=-1) if values.ndim == 3 else small[0]


def resize_rgba(
    rgba: np.ndarray,
    size: tuple[int, int],
    how: int,
    box: tuple[float, float, float, float] | None = None,
    least: float = 1e-6,
) -> np.ndarray:
    """`resize_planes` of straight RGBA (H, W, 4), colours weighted by alpha: what is hidden bleeds into nothing.

    Filters with lobes overshoot; clip what they give. ``least`` is that of `unpremultiply`.
    """
    return unpremultiply(resize_planes(premultiply(rgba), size, how, box), least)


def without_small_holes(alpha: np.ndarray, share: float) -> np.ndarray:
    """Alpha (H, W) whose holes of less than ``share`` of the object's area are opaque; cutouts eat such holes.

    A wrong one would be drilled through the whole mesh. What reaches the border of the picture is no hole.
    """
    from scipy.ndimage import label

    holes, _ = label(alpha <= 0.5)
    sizes = np.bincount(holes.ravel())
    small = sizes < share * sizes[0]  # label 0 is the object itself
    small[0] = False
    small[np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))] = False
    return np.where(small[holes], np.float32(1), alpha).astype(np.float32, copy=False)


def srgb_to_linear(srgb: np.ndarray) -> np.ndarray:
    """The sRGB transfer function (IEC 61966-2-1), values in [0, 1]."""
    srgb = np.asarray(srgb)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Inverse of `srgb_to_linear`."""
    linear = np.asarray(linear)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def encode_png(pixels: np.ndarray, **options: Any) -> bytes:
    """PNG bytes of an (H, W[, 3 or 4]) uint8 picture, without colour profile; ``options`` are those of Pillow."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", **options)
    return file.getvalue()


_OWN = b"Software\0zero123pp"
"""In the text chunk by which a picture of this program is known again."""


def own_png(pixels: np.ndarray, **options: Any) -> bytes:
    """`encode_png` with a mark that says who wrote it, for pictures that a later run may replace."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(*_OWN.decode().split("\0"))
    return encode_png(pixels, pnginfo=info, **options)


def is_own_png(path: str | Path) -> bool:
    """Whether a file is a picture by `own_png`."""
    try:
        with open(path, "rb") as file:
            return _OWN in file.read(256)
    except OSError:
        return False
