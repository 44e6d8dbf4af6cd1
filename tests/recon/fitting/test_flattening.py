"""Flats pressed flat: a swollen cube becomes one, a flat one stays one, and what pictures do not show is left alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from gray_cube import HALF, SIDE, cube_distance, cube_targets, cube_views, watched

from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.fitting.flattening import flattened
from zero123pp.types import MultiView


def pressed(views, sdf, times=1):
    with ThreadPoolExecutor(2) as pool:
        smooth = watched(cube_targets(views), pool)
        for _ in range(times):
            sdf = flattened(smooth(sdf))
    return sdf


def off(sdf, half=HALF):
    """How far the surface lies outside of the cube's five faces that are seen from a rig, in their middles, voxels."""
    axis = np.linspace(-half, half, len(sdf))
    middle = np.flatnonzero(np.abs(axis) < 0.5 * SIDE)
    found = []
    for direction, sign in ((0, 1), (0, -1), (1, 1), (2, 1), (2, -1)):
        lines = np.moveaxis(sdf, direction, -1)[np.ix_(middle, middle)][..., ::sign]
        last = lines.shape[-1] - 1 - (lines[..., ::-1] <= 0).argmax(-1)
        inside, outside = (np.take_along_axis(lines, (last + k)[..., None], -1)[..., 0] for k in (0, 1))
        at = last + inside / (inside - outside)
        found.append(at - (SIDE + half) * (len(sdf) - 1) / (2 * half))
    return np.array(found)


def test_a_swollen_cube_is_pressed_flat():
    swollen = cube_distance(2.0)
    before, after = off(swollen), off(pressed(cube_views(), swollen, times=3))
    assert before.mean() > 1.3
    assert np.abs(after).mean() < 0.35 * before.mean()
    assert (np.abs(after).mean((1, 2)) < 0.8 * before.mean((1, 2))).all()
    sides = [0, 1, 3, 4]  # the top is seen at a slant of 20 degrees
    assert (after[sides].mean((1, 2)) < 0.3 * before[sides].mean((1, 2))).all()
    assert (after[sides].std((1, 2)) < 0.3 * before[sides].std((1, 2))).all()


def test_a_cube_stays_one():
    before, after = off(cube_distance()), off(pressed(cube_views(), cube_distance(), times=3))
    assert np.abs(before).max() < 0.1
    assert np.abs(after).mean() < 0.2 and np.abs(after).max() < 0.5


def test_detail_holds_the_surface_where_it_is():
    checks = np.indices((120, 120)).sum(0) % 2 * 0.2
    detailed = [replace(view, rgb=np.clip(view.rgb + checks[..., None], 0, 1)) for view in cube_views()]
    swollen = cube_distance(2.0)
    plain, held = (off(swollen) - off(pressed(views, swollen)) for views in (cube_views(), detailed))
    assert plain.mean() > 0.4 and held.mean() < 0.25 * plain.mean()


def test_nodes_far_from_the_surface_stay_as_they_are():
    swollen = cube_distance(2.0)
    after = pressed(cube_views(), swollen)
    far = np.abs(swollen) > 4.1
    np.testing.assert_array_equal(after[far], swollen[far].astype(np.float32))


def test_fits_of_plain_faces_are_flatter():
    views = MultiView(tuple(replace(view, normal=None) for view in cube_views(size=160)), source="test")
    small = FitConfig(levels=(24, 48), steps=60, vessel_wall=0, weight_corrected=0)
    with_it, without = (
        off(field.sdf, field.half_extent) for field in (fit(views, replace(small, flattens=on)) for on in (True, False))
    )
    assert np.abs(with_it).mean() < 0.75 * np.abs(without).mean()
    assert with_it.std((1, 2)).mean() < without.std((1, 2)).mean()


def test_without_flattening_a_fit_is_what_it_was_and_its_seed_fixes_every_byte():
    views = MultiView(tuple(replace(view, normal=None) for view in cube_views(size=64)), source="test")
    small = FitConfig(levels=(16, 24), steps=8, vessel_wall=0)
    one, again, without = (fit(views, replace(small, flattens=on)).sdf for on in (True, True, False))
    np.testing.assert_array_equal(one, again)
    assert (one != without).any()
