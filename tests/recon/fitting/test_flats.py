"""Normals smoothed within what the pictures do not contradict: laws of the filter, and fits that take them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from gray_cube import HALF, SIDE, N, cube_distance, cube_targets, cube_views, watched

from zero123pp.errors import ConfigError
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.types import MultiView


def smoothed(views, sdf):
    """Normals, trust and the normals of the cube's faces there, and the place on the face, of rays that hit one."""
    wanted = cube_targets(views)
    with ThreadPoolExecutor(2) as pool:
        normals, trust = watched(wanted, pool)(sdf).targets()
    from zero123pp.recon.ops.field import rays as ray
    from zero123pp.recon.ops.field.surface import first_crossings

    along = first_crossings(cube_distance().astype(np.float32), wanted.rays)
    at = wanted.rays[:, ray.ORIGIN : ray.ORIGIN + 3] + along[:, None] * wanted.rays[:, ray.DIRECTION :][:, :3]
    at = (at / (N - 1) - 0.5) * 2 * HALF / SIDE
    axis = np.abs(at).argmax(1)
    true = np.eye(3)[axis] * np.sign(at)
    rim = 1 - np.sort(np.abs(at), axis=1)[:, 1]
    hit = (along > 0) & (trust > 0)
    angle = np.degrees(np.arccos(np.clip((normals * true).sum(1), -1, 1)))
    return normals[hit], trust[hit], angle[hit], rim[hit]


def test_planes_stay_as_they_are_up_to_creases_that_the_picture_shows():
    _, trust, angle, rim = smoothed(cube_views(), cube_distance())
    inner = rim > 0.2  # the grid rounds its creases over two voxels
    assert inner.sum() > 5000
    assert np.median(angle[inner]) < 1.5 and np.percentile(angle[inner], 95) < 5
    assert trust[inner].mean() > 0.9
    _, _, hidden, hidden_rim = smoothed(cube_views(grays=(110, 110, 190, 225, 110, 110)), cube_distance())
    near, hidden_near = (0.2 < rim) & (rim < 0.5), (0.2 < hidden_rim) & (hidden_rim < 0.5)
    assert hidden[hidden_near].mean() > 1.5 * angle[near].mean()  # four sides of one gray are one patch


def test_a_bulge_that_the_picture_does_not_show_goes():
    bulged = cube_distance(2.0)
    _, trust, angle, _ = smoothed(cube_views(), bulged)
    gradient = np.stack(np.gradient(bulged), -1)
    gradient /= np.linalg.norm(gradient, axis=-1, keepdims=True)
    surface = np.abs(bulged) < 0.7
    inner = np.sort(np.abs(np.stack(np.meshgrid(*3 * [np.linspace(-HALF, HALF, N)], indexing="ij"), -1)), -1)[..., 1]
    surface &= inner < 0.8 * SIDE
    before = np.degrees(np.arccos(np.clip(np.abs(gradient[surface]).max(-1), -1, 1))).mean()
    assert (angle * trust).sum() / trust.sum() < 0.5 * before


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_weight_is_a_number_of_at_least_0(value):
    with pytest.raises(ConfigError, match="weight_smoothed"):
        FitConfig(weight_smoothed=value)


def test_views_with_normals_keep_theirs():
    views = MultiView(tuple(cube_views(size=64)), source="test")
    assert all(view.normal is not None for view in views.views)
    small = FitConfig(levels=(24,), steps=8, vessel_wall=0, weight_corrected=0)
    kept, none = (fit(views, replace(small, weight_smoothed=weight)) for weight in (0.1, 0.0))
    np.testing.assert_array_equal(kept.sdf, none.sdf)


def test_pictures_that_do_not_show_where_the_surface_turns_are_not_trusted():
    _, lit, _, _ = smoothed(cube_views(), cube_distance(2.0))
    flat_gray = smoothed(cube_views(grays=(128,) * 6), cube_distance(2.0))[1]
    assert lit.mean() > 0.8
    assert len(flat_gray) == 0 or flat_gray.max() < 0.05


def test_where_a_picture_has_detail_its_colours_are_trusted_instead():
    """The same cube with a fine check on its faces: normals as good, and less of a say."""
    plain_views, checks = cube_views(), np.indices((120, 120)).sum(0) % 2 * 0.2
    detailed = [replace(view, rgb=np.clip(view.rgb + checks[..., None], 0, 1)) for view in plain_views]
    _, plain, _, rim = smoothed(plain_views, cube_distance())
    _, less, _, less_rim = smoothed(detailed, cube_distance())
    assert plain[rim > 0.4].mean() > 0.9
    assert less[less_rim > 0.4].mean() < 0.3
