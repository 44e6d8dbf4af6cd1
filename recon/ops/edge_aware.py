"""Edge-aware smoothing of pictures in linear time, compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def smooth_within(values, across, down, support, rounds):
    """Smooth a picture in place where the way from pixel to pixel is short.

    The recursive filter of Gastal and Oliveira, "Domain transform for edge-aware image and video processing", 2011,
    section 5.3: rows, then columns, forth and back, ``rounds`` times with shrinking support. Constants stay as they
    are.

    Args:
        values: (H, W, C) float32, changed.
        across: (H, W) float32, length of the way from every pixel to the one on its right, at least 1 where nothing
            stands between them; the last column is not looked at.
        down: (H, W) float32, likewise to the one below.
        support: standard deviation of the filter, in pixels that nothing stands between.
        rounds: of the filter, at least 1; more of them leave fewer stripes.
    """
    height, width, channels = values.shape
    pass_across, pass_down = np.empty_like(across), np.empty_like(down)
    for index in range(rounds):
        share = np.sqrt(3.0) * 2.0 ** (rounds - index - 1) / np.sqrt(4.0**rounds - 1)
        falls = np.float32(-np.sqrt(2.0) / (support * share))
        for i in range(height):
            for j in range(width):
                pass_across[i, j], pass_down[i, j] = np.exp(falls * across[i, j]), np.exp(falls * down[i, j])
        for i in range(height):
            for j in range(1, width):
                for c in range(channels):
                    values[i, j, c] += pass_across[i, j - 1] * (values[i, j - 1, c] - values[i, j, c])
            for j in range(width - 2, -1, -1):
                for c in range(channels):
                    values[i, j, c] += pass_across[i, j] * (values[i, j + 1, c] - values[i, j, c])
        for i in range(1, height):
            for j in range(width):
                for c in range(channels):
                    values[i, j, c] += pass_down[i - 1, j] * (values[i - 1, j, c] - values[i, j, c])
        for i in range(height - 2, -1, -1):
            for j in range(width):
                for c in range(channels):
                    values[i, j, c] += pass_down[i, j] * (values[i + 1, j, c] - values[i, j, c])
