"""Light of environment maps on matt surfaces: irradiance by spherical harmonics.

Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001.
"""

from pathlib import Path

import numpy as np

from zero123pp.render import find_hdr, read_hdr

_BAND_FACTORS = np.array([np.pi] + 3 * [2 * np.pi / 3] + 5 * [np.pi / 4])
"""Of the cosine lobe, by coefficient (the paper's equation 8)."""

_STRIDE = 4
"""Every how many pixels of a panorama are looked at; irradiance is smooth."""

_CLIP = 50.0
"""Brightest radiance over the mean: a sun of full strength makes everything else black in eight bits."""


def harmonics(directions: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics of bands 0 to 2 at unit directions (..., 3): (..., 9)."""
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
            0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
        ],
        -1,
    )  # fmt: skip


def irradiance_of(panorama: np.ndarray) -> np.ndarray:
    """Coefficients (9, 3) of the irradiance of a panorama (H, W, 3), linear, y up, scaled to a mean of pi."""
    radiance = panorama[::_STRIDE, ::_STRIDE].astype(np.float64)
    radiance = np.minimum(radiance, _CLIP * radiance.mean())
    height, width = radiance.shape[:2]
    latitude = np.pi * (0.5 - (np.arange(height) + 0.5) / height)[:, None]
    longitude = 2 * np.pi * ((np.arange(width) + 0.5) / width - 0.5)[None]
    directions = np.stack(
        np.broadcast_arrays(
            np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)
        ),
        -1,
    )
    solid_angle = np.cos(latitude)[..., None] * (np.pi / height) * (2 * np.pi / width)
    coefficients = np.einsum("hwk,hwc->kc", harmonics(directions), radiance * solid_angle)
    mean = coefficients[0].mean() * 0.282095
    return coefficients * _BAND_FACTORS[:, None] / (mean * np.pi) * np.pi


def read_lights(folder: str | Path) -> np.ndarray:
    """Irradiance (N, 9, 3) of every .hdr panorama in a folder; BadInput when there is none or one is damaged."""
    return np.stack([irradiance_of(read_hdr(path)) for path in find_hdr(folder)])
