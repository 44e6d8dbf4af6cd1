"""Bilinear look-ups in pictures, compiled by Numba."""

import numba
import numpy as np

from zero123pp.recon.ops.kernel_input import kernel_input


def bilinear(image: np.ndarray, px: np.ndarray, *, repeat: bool = False) -> np.ndarray:
    """Values of a picture at positions, interpolated between pixel centres.

    Args:
        image: (H, W, C) float32 or uint8 (values stay in 0..255).
        px: (n, 2) positions in pixels, x and y from the top left corner; the first pixel has its centre at (0.5, 0.5).
        repeat: outside, the picture repeats (glTF's default for textures); otherwise its edge pixels go on.

    Returns:
        (n, C) float32.
    """
    return _bilinear(kernel_input(image, np.float32), kernel_input(px, np.float64), repeat)


@numba.njit(cache=True, nogil=True, inline="always")
def pixels_around(x, y, height, width):
    """Columns x0, x1 and rows y0, y1 of the pixels around a position, and the shares of the second of each.

    Beyond the centres of the edge pixels these go on. For kernels.
    """
    x, y = min(max(x - 0.5, 0.0), width - 1.0), min(max(y - 0.5, 0.0), height - 1.0)
    x0, y0 = int(x), int(y)
    return x0, min(x0 + 1, width - 1), y0, min(y0 + 1, height - 1), x - x0, y - y0


@numba.njit(cache=True, nogil=True)
def _bilinear(image: np.ndarray, px: np.ndarray, repeat: bool) -> np.ndarray:
    height, width, channels = image.shape
    result = np.empty((len(px), channels), np.float32)
    for n in range(len(px)):
        if repeat:
            x, y = px[n, 0] - 0.5, px[n, 1] - 0.5
            left, top = np.floor(x), np.floor(y)
            fx, fy = x - left, y - top
            x0, y0 = int(left) % width, int(top) % height
            x1, y1 = (x0 + 1) % width, (y0 + 1) % height
        else:
            x0, x1, y0, y1, fx, fy = pixels_around(px[n, 0], px[n, 1], height, width)
        for c in range(channels):
            upper = image[y0, x0, c] * (1 - fx) + image[y0, x1, c] * fx
            lower = image[y1, x0, c] * (1 - fx) + image[y1, x1, c] * fx
            result[n, c] = upper * (1 - fy) + lower * fy
    return result
