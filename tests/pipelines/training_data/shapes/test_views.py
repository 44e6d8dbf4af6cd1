"""The tiles of a pass over an object."""

import numpy as np
import pytest
from shape_passes import shape_pass

from zero123pp.pipelines.training_data.shapes.views import AZIMUTHS


@pytest.fixture(scope="module")
def passed():
    return shape_pass()


def test_tiles_are_what_the_order_says(passed):
    positions = passed["world_from_cam"][:, :3, 3]
    azimuths = np.rad2deg(np.arctan2(positions[:, 0], positions[:, 2]))
    heights = np.rad2deg(np.arcsin(positions[:, 1] / np.linalg.norm(positions, axis=1)))
    upper, lower, inputs = np.split(azimuths, 3)
    assert np.allclose((lower - upper + 180) % 360, 180, atol=1e-3)
    assert np.allclose((upper - inputs) % 360, 30, atol=1e-3)
    assert np.allclose(heights, passed["elevations_deg"], atol=1e-3)
    assert np.allclose(heights[:AZIMUTHS], 20, atol=1e-3)
    for tile in passed["pixels"][2 * AZIMUTHS :]:  # input views fill their picture as cutouts do
        rows, columns = np.nonzero(tile[..., 3] > 127)
        assert 0.75 < max(np.ptp(rows), np.ptp(columns)) / 64 < 0.97
