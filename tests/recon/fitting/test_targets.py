"""What the fit compares with: how much an object's colours say."""

from dataclasses import replace

import numpy as np
import pytest

from zero123pp.errors import ConfigError
from zero123pp.recon.fitting import FitConfig, fit, targets
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, MultiView


def two_tone(low: int, high: int) -> MultiView:
    """A ball, one half of it of each gray."""
    import trimesh

    ball = trimesh.creation.icosphere(3, 0.4)
    gray = np.where(ball.vertices[:, :1] > 0, high, low)
    mesh = Mesh(ball.vertices, ball.faces, np.repeat(gray, 3, 1).astype(np.uint8))
    return MultiView(tuple(render([mesh], camera) for camera in get_rig("v1.2").cameras(64)), source="test")


def test_contrast_is_that_of_the_object_and_has_a_floor():
    strong, weak = (targets.contrast(two_tone(*tones).views) for tones in ((0, 255), (100, 151)))
    assert strong == pytest.approx(0.5, abs=0.05)
    assert weak == pytest.approx(0.2 * strong, rel=0.01)
    assert targets.contrast(two_tone(128, 128).views) == pytest.approx(0.025)
    clear = [replace(view, alpha=view.alpha * np.float32(0.5)) for view in two_tone(0, 255).views]
    assert targets.contrast(clear) == 1.0


def test_colours_of_plain_objects_count_more_and_others_as_they_did():
    small = FitConfig(levels=(16,), steps=6, rays=8000, vessel_wall=0)
    plain, strong = two_tone(100, 151), two_tone(0, 255)
    factor = small.rgb_contrast / targets.contrast(plain.views)
    assert factor > 2
    heavier = replace(small, rgb_contrast=0, weight_rgb=small.weight_rgb * factor)
    np.testing.assert_array_equal(fit(plain, small).sdf, fit(plain, heavier).sdf)
    assert (fit(plain, small).sdf != fit(plain, replace(small, rgb_contrast=0)).sdf).any()
    np.testing.assert_array_equal(fit(strong, small).sdf, fit(strong, replace(small, rgb_contrast=0)).sdf)


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan])
def test_a_contrast_is_a_number_from_0_to_1(value):
    with pytest.raises(ConfigError, match="rgb_contrast"):
        FitConfig(rgb_contrast=value)
