import numpy as np
import pytest

from zero123pp.recon.texturing.exposure import match_gains

pytestmark = pytest.mark.quick


def test_gains_solve_known_factors():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.9, 1.1, 4)
    colors = rng.uniform(0, 0.8, (1, 500, 3)) * true[:, None, None]
    weights = rng.uniform(0.1, 1, (4, 500)) * (rng.random((4, 500)) > 0.4)
    gains = match_gains(colors, weights, np.ones(4))
    corrected = gains * true
    assert np.ptp(corrected) < 0.03 and abs(np.log(gains).mean()) < 0.01
    trusted = match_gains(colors, weights, np.array([1.0, 1e-3, 1e-3, 1e-3])) * true / true[0]
    assert np.abs(trusted - 1).max() < 0.03  # all follow the trusted view
    assert (match_gains(colors, np.eye(4, 500), np.ones(4)) == 1).all()  # nothing in common
