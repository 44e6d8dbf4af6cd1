"""What the shape prior learns from: drawn samples, lights, mirror images."""

import dataclasses

import numpy as np
import pytest
from shape_passes import shape_pass

torch = pytest.importorskip("torch")


LIGHTS = np.stack([np.array([[11.0] * 3] + [[0.5] * 3] * 8)])


@pytest.fixture(scope="module")
def passed():
    return shape_pass()


def test_one_view_is_told_that_nothing_lies_beyond_the_sphere(passed):
    from zero123pp.train.prior.samples import SampleConfig, draw

    config = dataclasses.replace(SampleConfig(), picture_px=64)
    one = draw(passed, "one", LIGHTS, config, np.random.default_rng(0))
    rig = draw(passed, "rig", LIGHTS, config, np.random.default_rng(0))
    assert len(one.points) == config.points + config.far and len(rig.points) == config.points
    far, sdf = one.points[config.points :], one.sdf[config.points :]
    assert (sdf > 0).all() and np.abs(one.points[: config.points]).max() < 1
    ends = np.abs(far[:, 2]) > 0.7  # the ends of the cone, where rendered passes have hardly a point
    assert ends.sum() > 20


@pytest.mark.parametrize("mode", ["one", "rig", "some"])
def test_solid_points_lie_behind_the_outlines(passed, mode):
    """Whatever is inside projects into every outline; the mirror image and the turn to the front keep that true."""
    from zero123pp.recon.prior.look_ups import statistics_at
    from zero123pp.train.prior.samples import SampleConfig, draw

    config = dataclasses.replace(SampleConfig(), picture_px=64, stale_elevation=0.0)
    for seed in range(4):
        sample = draw(passed, mode, LIGHTS, config, np.random.default_rng(seed))
        maps = torch.from_numpy(sample.pictures[None, :, 3:4])
        inside = sample.points[sample.sdf < -0.02]
        assert len(inside) > 50
        alpha = statistics_at(maps, torch.from_numpy(sample.matrices[None]), torch.from_numpy(inside[None]))[0, :, 0]
        # One view's camera is assumed: elevation, lens and depth are off by some degrees, so outlines fit roughly.
        assert alpha.mean() > (0.75 if mode == "one" else 0.97)
