"""The input channels of the one-view network."""

import numpy as np
import pytest

from zero123pp.recon.prior import network_input

pytestmark = pytest.mark.quick


def test_the_input_tells_the_outline():
    """Inside, the fifth channel is twice the distance to the outline in half sides of the crop; negative outside."""
    alpha = np.zeros((64, 64), np.float32)
    alpha[16:48, 16:48] = 1
    given = network_input(np.full((64, 64, 3), 0.25, np.float32), alpha)
    # The outline runs along the pixels' borders, 15.5 px from the centres of these two.
    assert given[4, 32, 32] == pytest.approx(2 * 15.5 * 2 / 64)
    assert given[4, 0, 32] == pytest.approx(-2 * 15.5 * 2 / 64)
    np.testing.assert_allclose(given[:3, 32, 32], (0.25 * 255 - 127) / 128, rtol=1e-5)
    np.testing.assert_allclose(given[:3, 2, 2], 0.5 / 128, atol=1e-5)
    assert np.isfinite(network_input(np.zeros((32, 32, 3), np.float32), np.zeros((32, 32), np.float32))).all()
