"""The directions of all rays of a picture: a few rows that its pixels share in a pattern."""

from dataclasses import dataclass

import numpy as np

from zero123pp.render.environment import Environment

PATTERN = 4
"""Side of the pattern, samples; see `zero123pp.render.light_kernels.smoothed`."""

_GOLDEN = 0.6180339887498949
"""Fraction of the golden ratio: points (k / N, k times this) fill the square evenly (a Fibonacci lattice)."""

_ORDER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.int32)
"""Bayer's matrix: the cells of any 2 x 2 block are far apart in the sequence."""


@dataclass(frozen=True)
class RayTables:
    """Directions by row; a point takes those of the row that is its phase."""

    sky: np.ndarray
    """(T, A, 3) float32 unit, drawn from an environment's brightness."""
    sky_texels: np.ndarray
    """(T, A) int32, where they lie in its map."""
    lobes: np.ndarray
    """(T, B, 3) float32 unit, drawn from the cosine round +z."""


def ray_tables(environment: Environment, rows: int, samples: int, seed: int) -> RayTables:
    """``rows`` of ``samples`` directions each, half of each kind; all rows together are one even set."""
    rng = np.random.default_rng(seed)
    by_light = samples // 2
    u, v = _even_points(rows * by_light, rng)
    sky, texels = _from_sky(environment, u, v)
    u, v = _even_points(rows * (samples - by_light), rng)
    radius, angle = np.sqrt(u), 2 * np.pi * v  # Malley's method: a disc lifted to the hemisphere
    lobes = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - u)], -1).astype(np.float32)
    tables = (sky.reshape(-1, rows, 3), texels.reshape(-1, rows), lobes.reshape(-1, rows, 3))
    return RayTables(
        *(np.ascontiguousarray(np.swapaxes(table, 0, 1)) for table in tables)
    )  # each row is spread out too


def _even_points(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(count,) each, in [0, 1)^2."""
    k, shift = np.arange(count), rng.random(2)
    return (k / count + shift[0]) % 1.0, (k * _GOLDEN + shift[1]) % 1.0


def _from_sky(environment: Environment, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (n, 3) and texels (n,) for uniform u and v, by inverting the cumulative brightness."""
    height, width = environment.density.shape
    row = np.minimum(np.searchsorted(environment.row_cdf, u, side="right"), height - 1)
    below = np.where(row > 0, environment.row_cdf[row - 1], 0)
    down = np.clip((u - below) / np.maximum(environment.row_cdf[row] - below, 1e-300), 0, 1 - 1e-6)
    column = np.array([np.searchsorted(environment.column_cdf[r], value, side="right") for r, value in zip(row, v)])
    column = np.minimum(column, width - 1)
    left = np.where(column > 0, environment.column_cdf[row, column - 1], 0)
    right = np.clip((v - left) / np.maximum(environment.column_cdf[row, column] - left, 1e-300), 0, 1 - 1e-6)
    # Within a texel directions are uniform in solid angle: in the cosine of the polar angle.
    edge, next_edge = np.cos(np.pi * row / height), np.cos(np.pi * (row + 1) / height)
    y = edge + down * (next_edge - edge)
    across = np.sqrt(np.maximum(0, 1 - y * y))
    azimuth = np.pi - 2 * np.pi * (column + right) / width
    directions = np.stack([across * np.sin(azimuth), y, across * np.cos(azimuth)], -1)
    return directions.astype(np.float32), (row * width + column).astype(np.int32)


def pixel_phases(covered: np.ndarray) -> np.ndarray:
    """Phases (n,) int32 of the covered samples of a picture (H, W) bool, row-major."""
    y, x = np.nonzero(covered)
    return _ORDER[y % PATTERN, x % PATTERN]
