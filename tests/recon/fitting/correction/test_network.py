"""The correction network at work: what it says becomes normals and moves, and the bundled one makes fits better."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from gray_cube import HALF, N, cube_distance, cube_targets, cube_views, watched

from zero123pp.errors import ConfigError
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.fitting.correction.inputs import LOOK_CHANNELS, LOOK_COUNT
from zero123pp.recon.fitting.correction.network import CorrectionNetwork, bundled_correction
from zero123pp.recon.fitting.moving import moved
from zero123pp.types import MultiView


class Said(CorrectionNetwork):
    """Says of every picture that the surface is ``deeper``, as sure as told, and its normals are the smoothed ones."""

    def __init__(self, deeper, log_error):
        self._deeper, self._log_error = deeper, log_error

    def maps(self, inputs):
        same = np.ones(inputs.shape[1:], np.float32)
        smoothed = inputs[LOOK_CHANNELS["smoothed"]]
        unit = smoothed / np.maximum(np.linalg.norm(smoothed, axis=0), 1e-6)
        return np.concatenate([unit, np.stack([self._log_error, self._deeper, self._log_error])[:, None, None] * same])


def corrected(network, sdf=None, views=None):
    with ThreadPoolExecutor(2) as pool:
        look = watched(cube_targets(views or cube_views()), pool)(cube_distance() if sdf is None else sdf)
        correction = network.correction(look)
        return look, correction, correction.moved()


def test_what_is_told_becomes_normals_of_the_rays():
    look, correction, _ = corrected(Said(0.0, -3.0))
    (normals, trust), (smoothed, _) = correction.targets(), look.targets()
    assert normals.shape == smoothed.shape and trust.shape == (len(normals),)
    sure = trust == 1
    assert 0.5 < sure.mean() and set(np.unique(trust)) == {0, 1}
    cosine = (normals * smoothed).sum(1)[sure]
    assert np.median(cosine) > 0.999


def test_doubt_lessens_trust_and_moves():
    _, sure, _ = corrected(Said(1.0, np.log(0.05)))
    _, doubting, _ = corrected(Said(1.0, np.log(1.0)))
    assert doubting.targets()[1].max() == pytest.approx(1 / 100, rel=1e-3)
    on = sure.deeper[0] > 0
    np.testing.assert_allclose(sure.deeper[0][on], 1.0, rtol=1e-3)
    np.testing.assert_allclose(doubting.deeper[0][on], 0.5, rtol=1e-3)


def test_faces_that_are_seen_move_as_far_as_told():
    """By a voxel of depth, which on a face seen at a slant is less of a distance; what no view sees stays."""
    from_above = [view for view in cube_views() if view.camera.world_from_cam[1, 3] > 0]
    _, _, after = corrected(Said(1.0, -3.0), views=from_above)
    middle, axis = N // 2, np.linspace(-HALF, HALF, N)
    face = np.argmin(np.abs(axis - 0.27))
    change = after - cube_distance()
    assert 0.4 < change[middle, middle, face] <= 1.2  # the front, +z
    assert abs(change[middle, np.argmin(np.abs(axis + 0.27)), middle]) < 1e-6  # the bottom
    _, _, still = corrected(Said(0.0, -3.0))
    np.testing.assert_allclose(still, cube_distance(), atol=1e-5)


def test_moves_that_undo_a_shift_bring_the_surface_back():
    shifted = cube_distance() - 1.0  # swollen by a voxel everywhere
    with ThreadPoolExecutor(2) as pool:
        look = watched(cube_targets(cube_views()), pool)(shifted)
        deeper = [
            1 / np.clip(picture.facing(seen.raw), 0.15, 1) / picture.lengths(seen.depth.shape)
            for picture, seen in zip(look.level.pictures, look.seen)
        ]
        after = moved(look, deeper)
    axis = np.linspace(-HALF, HALF, N)
    inner = np.abs(axis) < 0.15
    front = np.abs(axis - 0.27) < 0.05
    before = np.abs(shifted - cube_distance())[np.ix_(inner, inner, front)].mean()
    assert before == pytest.approx(1)
    assert np.abs(after - cube_distance())[np.ix_(inner, inner, front)].mean() < 0.15


def test_a_step_in_what_a_view_says_is_spread():
    """Its upper half tells the front that it lies deeper, its lower half not: between nodes the surface turns less."""
    with ThreadPoolExecutor(2) as pool:
        look = watched(cube_targets(cube_views()[:1]), pool)(cube_distance())
        shape = look.seen[0].depth.shape
        upper = np.broadcast_to(np.arange(shape[0])[:, None] < shape[0] // 2, shape)
        change = moved(look, [upper.astype(np.float32)]) - cube_distance()
    axis = np.linspace(-HALF, HALF, N)
    column = change[N // 2, np.abs(axis) < 0.2, np.argmin(np.abs(axis - 0.27))]
    assert column.min() == pytest.approx(0, abs=0.01) and column.max() > 0.4
    assert np.abs(np.diff(column)).max() < 0.6 * np.ptp(column)


@pytest.mark.quick
def test_any_size_goes_through_the_bundled_network():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(LOOK_COUNT, 33, 50)).astype(np.float32) * 0.3
    maps = bundled_correction().maps(inputs)
    assert maps.shape == (6, 33, 50) and np.isfinite(maps).all()
    np.testing.assert_allclose(np.linalg.norm(maps[:3], axis=0), 1, atol=0.02)


def test_the_bundled_network_knows_a_swollen_face_from_a_flat_one():
    """A cube of plain grays that bulges by two voxels, as the hull leaves it: it says inwards, and turns normals."""
    *_, after = corrected(bundled_correction(), cube_distance(2.0))
    before, now = (np.abs(sdf - cube_distance())[np.abs(cube_distance()) < 2] for sdf in (cube_distance(2.0), after))
    assert now.mean() < 0.8 * before.mean()


def test_views_with_normals_are_not_corrected():
    views = MultiView(tuple(cube_views(size=64)), source="test")
    small = FitConfig(levels=(16, 24), steps=8, vessel_wall=0)
    kept, none = (fit(views, replace(small, weight_corrected=weight)) for weight in (0.5, 0.0))
    np.testing.assert_array_equal(kept.sdf, none.sdf)


def test_the_fit_uses_it_in_all_levels_but_the_first():
    views = MultiView(tuple(replace(view, normal=None) for view in cube_views(size=64)), source="test")
    for levels, differs in (((24,), False), ((16, 24), True)):
        small = FitConfig(levels=levels, steps=8, vessel_wall=0)
        with_it, without = (fit(views, replace(small, weight_corrected=weight)) for weight in (0.5, 0.0))
        assert np.array_equal(with_it.sdf, without.sdf) is not differs


def test_views_count_by_their_confidence_when_the_surface_moves():
    """One view says deeper, the others nearer: the surface follows those that are trusted."""
    changes = []
    for trusted in (0.05, 1.0):
        views = [replace(view, confidence=trusted if index else 1.0) for index, view in enumerate(cube_views())]
        with ThreadPoolExecutor(2) as pool:
            look = watched(cube_targets(views), pool)(cube_distance())
            ways = [np.full(seen.depth.shape, -1.0 if index else 1.0) for index, seen in enumerate(look.seen)]
            change = moved(look, ways) - cube_distance()
        changes.append(change[np.abs(cube_distance()) < 1].mean())
    assert changes[0] > changes[1] + 0.05


def test_flats_are_pressed_after_the_move():
    views = MultiView(tuple(replace(view, normal=None) for view in cube_views(size=64)), source="test")
    small = FitConfig(levels=(16, 24), steps=8, vessel_wall=0, flattens=True)
    with_it, without = (fit(views, replace(small, weight_corrected=weight)) for weight in (1e-9, 0.0))
    assert not np.allclose(with_it.sdf, without.sdf, atol=1e-3)  # such a weight turns no normal; what differs is moved


def test_threads_change_nothing(monkeypatch):
    views = MultiView(tuple(replace(view, normal=None) for view in cube_views(size=64)), source="test")
    small, found = FitConfig(levels=(16, 24), steps=8, vessel_wall=0), []
    for count in (1, 3):
        monkeypatch.setattr(import_module("zero123pp.recon.fitting.fit"), "processors", lambda c=count: set(range(c)))
        found.append(fit(views, small).sdf)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_weight_is_a_number_of_at_least_0(value):
    with pytest.raises(ConfigError, match="weight_corrected"):
        FitConfig(weight_corrected=value)


def test_a_watcher_is_shown_the_looks_of_the_finer_level():
    views, seen = MultiView(tuple(replace(v, normal=None) for v in cube_views(size=64)), source="test"), []
    fit(views, FitConfig(levels=(16, 24), steps=8, vessel_wall=0), watch=seen.append)
    assert [len(look.sdf) for look in seen] == [len(seen[0].sdf)] * 3  # at the begin, in the middle, at the end
    assert not np.array_equal(seen[0].sdf, seen[2].sdf)
