"""Differences of pictures against closed forms."""

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.recon.metrics.pictures import decibels, psnr, ssim

pytestmark = pytest.mark.quick


def test_psnr_has_its_closed_form():
    black = np.zeros((16, 16, 3))
    assert psnr(black, black) == float("inf")
    assert psnr(black + 0.1, black) == pytest.approx(20)
    assert psnr(black + 1, black) == pytest.approx(0)


def test_ssim_is_one_for_equal_pictures_symmetric_and_falls_with_noise():
    rng = np.random.default_rng(0)
    picture = np.repeat(np.linspace(0, 1, 48)[None, :, None], 48, axis=0).repeat(3, axis=2)
    little, much = (np.clip(picture + rng.normal(0, s, picture.shape), 0, 1) for s in (0.02, 0.2))
    assert ssim(picture, picture) == pytest.approx(1)
    assert 1 > ssim(little, picture) > ssim(much, picture) > 0
    assert ssim(much, picture) == pytest.approx(ssim(picture, much))


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(BadInput, match="shapes"):
        psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
    with pytest.raises(BadInput, match="floats"):
        ssim(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8))


def test_decibels_of_a_squared_error():
    assert decibels(0.01) == pytest.approx(20) and decibels(1.0) == 0
    assert decibels(0.0) == float("inf") and decibels(0.0, 100) == 100 and decibels(1e-30, 100) == 100
