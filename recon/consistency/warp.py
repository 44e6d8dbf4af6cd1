"""Pictures warped by smooth displacements, and the displacement that brings one picture onto another."""

from dataclasses import replace

import numpy as np

from zero123pp.recon.ops import premultiplied, straight
from zero123pp.types import View

_WINDOW_STEP = 4
"""The window of the flow is applied to means over blocks of so many pixels a side: it is much wider than those."""
_ROBUST = 0.3
"""Difference (sRGB or alpha) at which a pixel counts half: what one picture shows and the other does not, no
displacement can repair."""
_DAMPING = 0.02
"""Of the largest structure tensor's trace; where there is little structure, nothing moves."""
_LONGEST_PX = 2.0
"""Longest step of one iteration: the pictures are linear in the displacement over about a pixel."""


def warped(view: View, displacement: np.ndarray) -> View:
    """The view resampled at each pixel plus its displacement; nothing lies outside the picture.

    Depth and normals are taken from the nearest pixel, since a mean across a depth edge lies on no surface.

    Args:
        view: any.
        displacement: (2, H, W) px, rows then columns.
    """
    from scipy.ndimage import map_coordinates

    at = np.indices(view.alpha.shape) + displacement

    def resample(channels: np.ndarray, order: int) -> np.ndarray:
        planes = [map_coordinates(plane, at, order=order, mode="constant") for plane in np.moveaxis(channels, -1, 0)]
        return np.stack(planes, axis=-1)

    rgb, alpha = straight(resample(premultiplied(view), 1))
    depth = None if view.depth is None else resample(view.depth[..., None], 0)[..., 0]
    normal = None if view.normal is None else resample(view.normal, 0)
    return replace(view, rgb=rgb, alpha=alpha, depth=depth, normal=normal)


def flow(moving: np.ndarray, fixed: np.ndarray, window_px: float, iterations: int) -> np.ndarray:
    """The smooth displacement u (2, H, W), rows then columns, with ``moving(p + u(p))`` like ``fixed(p)``.

    Gauss-Newton steps on the squared difference in a Gaussian window round each pixel (Lucas and Kanade, "An iterative
    image registration technique", IJCAI 1981), with robust weights, and damped.

    Args:
        moving: (H, W, C) float, at least `_WINDOW_STEP` px a side.
        fixed: the same.
        window_px: standard deviation of the window, px.
        iterations: steps.
    """
    from scipy.ndimage import map_coordinates

    moving, fixed = np.asarray(moving, np.float32), np.asarray(fixed, np.float32)
    pixels = np.indices(moving.shape[:2]).astype(np.float32)
    u = np.zeros_like(pixels)
    for _ in range(iterations):
        there = [map_coordinates(plane, pixels + u, order=1, mode="constant") for plane in np.moveaxis(moving, -1, 0)]
        now = np.stack(there, -1)
        down, across = np.gradient(now, axis=(0, 1))
        off = fixed - now
        weight = 1 / (1 + (off / _ROBUST) ** 2)
        products = (down * down, across * across, down * across, down * off, across * off)
        yy, xx, xy, y, x = (_windowed((weight * product).sum(-1), window_px) for product in products)
        damping = _DAMPING * max(float((yy + xx).max()), 1e-9)
        yy, xx = yy + damping, xx + damping
        determinant = yy * xx - xy * xy
        step = np.stack([xx * y - xy * x, yy * x - xy * y]) / determinant
        u += np.stack([_grown(plane, moving.shape[:2]) for plane in np.clip(step, -_LONGEST_PX, _LONGEST_PX)])
    return u


def enlarged(displacement: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A displacement (2, h, w) in px, for the same picture at another size (2, H, W) in its px."""
    scale = np.divide(shape, displacement.shape[1:])
    return np.stack([_grown(plane, shape) * factor for plane, factor in zip(displacement, scale)])


def _windowed(values: np.ndarray, window_px: float) -> np.ndarray:
    """Gaussian means (h, w) of (H, W), on a grid that is `_WINDOW_STEP` times as coarse."""
    from scipy.ndimage import gaussian_filter

    rows, columns = (-(-side // _WINDOW_STEP) * _WINDOW_STEP for side in values.shape)
    padded = np.pad(values, ((0, rows - values.shape[0]), (0, columns - values.shape[1])))
    blocks = padded.reshape(rows // _WINDOW_STEP, _WINDOW_STEP, columns // _WINDOW_STEP, _WINDOW_STEP)
    return gaussian_filter(blocks.mean((1, 3)), window_px / _WINDOW_STEP, mode="constant")


def _grown(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) at another size, linearly between the centres of its pixels."""
    from scipy.ndimage import map_coordinates

    places = [(np.arange(new) + 0.5) * old / new - 0.5 for new, old in zip(shape, values.shape)]
    return map_coordinates(values, np.stack(np.meshgrid(*places, indexing="ij")), order=1, mode="nearest")
