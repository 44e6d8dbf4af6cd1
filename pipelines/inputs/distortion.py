"""Lenses that bend straight lines, and pictures freed of that: the models of OpenCV, plain and fisheye.

Notation of OpenCV's calib3d: x and y are coordinates on the plane one unit before a pinhole, r their distance from the
axis.
"""

from dataclasses import dataclass

import numpy as np

from zero123pp.images import premultiply, to_float, to_uint8, unpremultiply

MAX_GROWTH = 4.0
"""A straightened picture has at most so many times the pixels of the one it is made from."""
_MAX_RADIUS = 3.7
"""Of r: 75 degrees off the axis. Farther out a pinhole's picture is nearly all stretch."""
_STEPS = 2000
_BAND_PIXELS = 2**20
"""Pixels that are straightened at a time: bounds the memory."""


@dataclass(frozen=True)
class Distortion:
    """Where a lens puts what a pinhole would see at (x, y)."""

    radial: tuple[float, ...]
    """k1 to k6, or k1 to k4 of a fisheye."""
    tangential: tuple[float, float] = (0.0, 0.0)
    """p1, p2."""
    fisheye: bool = False

    def __call__(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distorted coordinates of pinhole coordinates, any shape."""
        p1, p2 = self.tangential
        r2 = x * x + y * y
        scale = self._scale(np.sqrt(r2))
        return (
            x * scale + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        )

    def _scale(self, r: np.ndarray) -> np.ndarray:
        """Distorted over undistorted radius, the tangential part aside."""
        if self.fisheye:
            theta = np.arctan(r)
            powers = np.stack([theta ** (2 * n) for n in range(1, 5)], -1)
            return np.where(r > 1e-9, theta / np.maximum(r, 1e-9), 1.0) * (1 + powers @ np.array(self.radial[:4]))
        k1, k2, k3, k4, k5, k6 = self.radial
        r2 = r * r
        return (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))

    def radii(self) -> tuple[np.ndarray, np.ndarray]:
        """Undistorted radii, ascending, and what becomes of them, as far out as that ascends too."""
        r = np.linspace(0, _MAX_RADIUS, _STEPS)
        with np.errstate(all="ignore"):
            bent = r * self._scale(r)
        folds = np.flatnonzero(~(np.diff(bent) > 0))
        end = int(folds[0]) + 1 if len(folds) else len(r)
        return r[:end], bent[:end]


def straightened(
    pixels: np.ndarray, scale: tuple[float, float], principal: tuple[float, float], lens: Distortion
) -> tuple[np.ndarray, tuple[float, float]]:
    """The picture that a pinhole of the same focal lengths takes, and its principal point.

    Args:
        pixels: (H, W, 4) uint8.
        scale: focal lengths, px.
        principal: px, from the top left corner.
        lens: of the picture.

    Returns:
        (h, w, 4) uint8, as large as it takes to hold what is visible, and (x, y) px. Where the lens sees nothing, it
        is transparent.
    """
    left, top, right, bottom = _room(pixels[..., 3], scale, principal, lens)
    farthest, planes = lens.radii()[0][-1], np.moveaxis(premultiply(to_float(pixels)), -1, 0)
    band = max(1, _BAND_PIXELS // (right - left))
    bands = []
    for first in range(top, bottom, band):
        columns, rows = np.meshgrid(np.arange(left, right) + 0.5, np.arange(first, min(first + band, bottom)) + 0.5)
        x, y = (columns - principal[0]) / scale[0], (rows - principal[1]) / scale[1]
        at_x, at_y = lens(x, y)
        at = np.stack([at_y * scale[1] + principal[1], at_x * scale[0] + principal[0]]) - 0.5
        bands.append(_resampled(planes, at, np.hypot(x, y) <= farthest))
    return np.concatenate(bands), (principal[0] - left, principal[1] - top)


def _room(
    alpha: np.ndarray, scale: tuple[float, float], principal: tuple[float, float], lens: Distortion
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the straightened picture in px of the bent one: itself, and all that is visible."""
    height, width = alpha.shape
    rows, columns = np.nonzero(alpha)
    reach = [0.0, 0.0, float(width), float(height)]
    if len(rows):
        x, y = (columns + 0.5 - principal[0]) / scale[0], (rows + 0.5 - principal[1]) / scale[1]
        r, bent = lens.radii()
        distance = np.hypot(x, y)
        factor = np.interp(distance, bent, r) / np.maximum(distance, 1e-9)
        x, y = principal[0] + scale[0] * factor * x, principal[1] + scale[1] * factor * y
        reach = [min(0.0, x.min() - 2), min(0.0, y.min() - 2), max(reach[2], x.max() + 2), max(reach[3], y.max() + 2)]
    left, top, right, bottom = (int(np.floor(v)) if n < 2 else int(np.ceil(v)) for n, v in enumerate(reach))
    if (right - left) * (bottom - top) > MAX_GROWTH * width * height:
        return 0, 0, width, height
    return left, top, right, bottom


def _resampled(planes: np.ndarray, at: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A premultiplied picture (4, H, W) at the places (2, h, w), rows then columns; (h, w, 4) uint8, straight.

    Transparent outside of the picture and where nothing is ``seen``.
    """
    from scipy.ndimage import map_coordinates

    height, width = planes.shape[1:]
    inside = seen & (at[0] > -1) & (at[0] < height) & (at[1] > -1) & (at[1] < width)
    drawn = np.stack([map_coordinates(plane, at, order=1, mode="nearest") for plane in planes], -1)
    return to_uint8(unpremultiply(drawn * inside[..., None]))
