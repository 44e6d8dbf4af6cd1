"""Likeness against the outlines and colours it is made of."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera
from zero123pp.recon.metrics.likeness import likeness
from zero123pp.recon.metrics.pictures import psnr
from zero123pp.types import View

pytestmark = pytest.mark.quick


def test_likeness_is_psnr_over_what_both_cover():
    rng = np.random.default_rng(0)
    camera = orbit_camera(0, 0, 2, 30, 8)
    one, other = rng.random((2, 8, 8, 3)).astype(np.float32)
    left, top = np.zeros((8, 8)), np.zeros((8, 8))
    left[:, :4], top[:4] = 1, 1
    overlap, quality = likeness(View(one, left, camera), View(other, top, camera))
    assert overlap == pytest.approx(16 / 48)
    assert quality == pytest.approx(psnr(one[:4, :4], other[:4, :4]), abs=1e-4)
    assert likeness(View(one, left, camera), View(one, left, camera)) == (1.0, 100.0)
    assert likeness(View(one, left, camera), View(one, 1 - left, camera)) == (0.0, 0.0)
