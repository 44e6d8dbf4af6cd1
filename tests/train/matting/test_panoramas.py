"""Panoramas as backdrops: read exactly, cropped where pointed, toned."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera, pixel_rays
from zero123pp.train.matting.panoramas import perspective_crop, photograph, tone_map

pytestmark = pytest.mark.quick


def test_crops_look_where_they_are_pointed():
    """A panorama painted with its own viewing directions gives back the directions of the camera's rays."""
    height, width = 256, 512
    latitude = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    longitude = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    panorama = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), -np.cos(lat) * np.cos(lon)], axis=-1)
    # Yaw 0 looks along -Z, to the right is +X: the orbit camera that stands on +Z, above by the pitch downwards.
    crop = perspective_crop(panorama, 0, -20, 0, 60, 33)
    _, rays = pixel_rays(orbit_camera(0, 20, 1, 60, 33))
    assert np.abs(crop - rays).max() < 2e-3


def test_tone_mapping_is_monotonic_and_in_range():
    linear = np.linspace(0, 50, 300).reshape(10, 10, 3)
    mapped = tone_map(linear, 0.0).ravel().astype(int)
    assert (np.diff(mapped) >= 0).all() and mapped[0] == 0 and (tone_map(linear, 1.0).ravel() >= mapped).all()
    assert photograph(linear, np.random.default_rng(0), 32).shape == (32, 32, 3)
