"""What the correction network is shown: sizes, means, and a plane sweep that is least where the surface truly is."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from gray_cube import cube_distance, cube_targets, cube_views, watched

from zero123pp.recon.fitting.correction.inputs import (
    LOOK_CHANNELS,
    LOOK_COUNT,
    enlarged,
    halved,
    nearest_depth,
    network_inputs,
)
from zero123pp.recon.fitting.correction.sweep import OFFSETS


def shown(views, sdf):
    """The look, and what the network is shown of it."""
    with ThreadPoolExecutor(2) as pool:
        look = watched(cube_targets(views), pool)(sdf)
        shown_of = network_inputs(look)
        return look, [shown_of(own) for own in range(len(look.seen))]


def painted_views():
    """The cube with a pattern on it that is fixed to it, broad enough for the grid."""
    import trimesh
    from gray_cube import SIDE

    from zero123pp.recon.render import render
    from zero123pp.rigs import get_rig
    from zero123pp.types import Mesh

    box = trimesh.creation.box((2 * SIDE,) * 3)
    for _ in range(5):
        box = box.subdivide()
    waves = np.stack([np.sin(box.vertices @ np.roll([40.0, 27.0, 33.0], k) + k) for k in range(3)], -1)
    mesh = Mesh(box.vertices, box.faces, np.uint8(127 + 100 * waves))
    return [render([mesh], camera) for camera in get_rig("v1.2").cameras(160)]


@pytest.mark.quick
def test_halves_are_means_and_come_back_at_full_size():
    values = np.arange(15.0).reshape(3, 5)
    np.testing.assert_allclose(halved(values), [[3, 5, 6.5 / 2], [10.5 / 2, 12.5 / 2, 14 / 4]])
    whole = enlarged(np.array([[1, 2], [3, 4]]), (3, 3))
    np.testing.assert_array_equal(whole, [[1, 1, 2], [1, 1, 2], [3, 3, 4]])


@pytest.mark.quick
def test_the_nearest_surface_of_a_block_is_taken():
    depth = np.array([[50, 51, 0, 0], [90, 0, 0, 0]], float)
    np.testing.assert_allclose(nearest_depth(depth), [[50.5, 0]])


def test_every_picture_has_all_channels_at_half_its_size():
    look, inputs = shown(cube_views(), cube_distance())
    assert len(inputs) == len(look.level.pictures) == 6
    for picture, each in zip(look.level.pictures, inputs):
        height, width = picture.solid.shape
        assert each.shape == (LOOK_COUNT, -(-height // 2), -(-width // 2)) and each.dtype == np.float32
        assert np.isfinite(each).all() and np.abs(each).max() < 8
        alphas = each[LOOK_CHANNELS["pixels"]][3::4]
        np.testing.assert_allclose(alphas.mean(0), halved(picture.rgba[..., 3]), atol=1e-6)


def test_what_was_carved_off_the_hull_is_told():
    """The hull of these looks is swollen by three voxels, most in the middles of the faces."""
    look, inputs = shown(cube_views(), cube_distance())
    for picture, seen, each in zip(look.level.pictures, look.seen, inputs):
        carved = enlarged(each[LOOK_CHANNELS["carved"]][0], picture.solid.shape) * 4
        facing = (picture.facing(seen.raw) > 0.6) & (seen.depth > 0)
        assert 1.0 < np.percentile(carved[facing], 90) < 3.1


@pytest.mark.parametrize("moved", [-1.0, 0.0, 1.0])
def test_colours_of_views_agree_where_the_surface_truly_is(moved):
    """A painted cube whose surface is off: the sweep is least that much in front of it, or behind."""
    _, inputs = shown(painted_views(), cube_distance() - moved)
    best = []
    for each in inputs:
        changes, others = each[LOOK_CHANNELS["changes"]], each[LOOK_CHANNELS["others"]][0]
        facing = -each[LOOK_CHANNELS["smoothed"]][2]
        asked = (others > 0.2) & (facing > 0.9)  # where depth is distance
        told = np.where(changes < 0, np.inf, changes)[:, asked]  # -0.2 is no view that sees the place
        best.append(OFFSETS[told.argmin(0)])
    best = np.concatenate(best)
    assert len(best) > 500
    assert abs(np.median(best) - moved) <= 0.5


def test_without_another_view_nothing_is_said_of_changes():
    _, inputs = shown([painted_views()[0]], cube_distance())
    changes = inputs[0][LOOK_CHANNELS["changes"]]
    assert set(np.unique(changes)) <= {np.float32(-0.2), np.float32(0)} and not inputs[0][LOOK_CHANNELS["others"]].any()


def test_beside_another_view_nothing_is_known():
    """A view cut through the object by its own border: places that it would see beyond say nothing of a change."""
    views = painted_views()
    width = views[1].alpha.shape[1] // 2
    camera = replace(views[1].camera, width=width)
    cut = replace(views[1], rgb=views[1].rgb[:, :width], alpha=views[1].alpha[:, :width], camera=camera, normal=None,
        depth=None)  # fmt: skip
    _, (alone, *_) = shown([views[0], cut], cube_distance())
    changes, others = alone[LOOK_CHANNELS["changes"]], alone[LOOK_CHANNELS["others"]][0]
    right = len(OFFSETS) // 2
    seen = others > 0.05
    assert 30 < seen.sum() < 0.8 * (alone[LOOK_CHANNELS["raw"]] != 0).any(0).sum()
    assert np.median(changes[right][seen]) < 0.3
    assert (changes[right][~seen] <= 0).all()


def test_brighter_pictures_change_colours_alone():
    views = cube_views()
    (_, before), (_, after) = shown(views, cube_distance()), shown(
        [replace(view, rgb=view.rgb * 0.7) for view in views], cube_distance()
    )  # fmt: skip
    for name in ("raw", "depth", "carved", "others"):
        for a, b in zip(before, after):
            np.testing.assert_allclose(a[LOOK_CHANNELS[name]], b[LOOK_CHANNELS[name]], atol=1e-5)
