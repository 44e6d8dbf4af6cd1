"""Samples: mirroring, light and damage leave the geometry as it is."""

import numpy as np
import pytest
from balls_and_boxes import LIGHTS

pytest.importorskip("trimesh")
pytest.importorskip("manifold3d")
pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def view():
    from zero123pp.train.one_view import generated
    from zero123pp.train.one_view.view import draw_pose, render_view

    rng = np.random.default_rng(1)
    while True:
        found = render_view(generated(rng), draw_pose(rng), 48, rng)
        if found is not None:
            return found


def test_light_changes_the_picture_and_not_the_shape(view):
    from zero123pp.train.one_view.samples import make_sample

    samples = [make_sample(view, LIGHTS, np.random.default_rng(seed)) for seed in range(12)]
    straight = [s for s in samples if np.array_equal(s.layers, view.layers, equal_nan=True)]
    mirrored = [s for s in samples if np.array_equal(s.layers, view.layers[..., ::-1], equal_nan=True)]
    assert len(straight) + len(mirrored) == 12 and min(len(straight), len(mirrored)) > 1
    assert not np.allclose(straight[0].given[:3], straight[1].given[:3], atol=0.02)
    for sample in samples:
        assert sample.given.shape == (5, 48, 48) and np.isfinite(sample.given).all()
        assert np.abs(sample.given[3:]).max() <= 2 and 0 <= sample.back_rgb.min() <= sample.back_rgb.max() <= 1
    flip = np.float32([-1, 1, 1])
    np.testing.assert_allclose(mirrored[0].up, view.up * flip)
    np.testing.assert_allclose(mirrored[0].normals[:3, :, ::-1].transpose(1, 2, 0), view.normals[..., :3] * flip)


def test_bad_cutouts_stay_cutouts(view):
    from zero123pp.train.one_view.damage import cut_badly, photographed

    alpha = view.rgba[..., 3].astype(np.float32) / 255
    kept = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rgb = photographed(view.rgba[..., :3] / np.float32(255), alpha, rng)
        rgb, cut = cut_badly(rgb, alpha, rng)
        assert 0 <= rgb.min() <= rgb.max() <= 1 and 0 <= cut.min() <= cut.max() <= 1
        kept.append((np.minimum(cut, alpha) > 0.5).sum() / (np.maximum(cut, alpha) > 0.5).sum())
    assert max(kept) == 1 and 0.5 < min(kept) < 0.98
