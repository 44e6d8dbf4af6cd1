"""The whole fit on shapes with known answers, and on hostile inputs."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from balls import ball_view, ball_views

from zero123pp.cameras import focal_px, look_at
from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.meshing.extract import extract
from zero123pp.types import Camera, MultiView

fit_module = import_module("zero123pp.recon.fitting.fit")

SMALL = FitConfig(levels=(24, 40), steps=80, rays=8000)


def _error(field, radius=0.35, centre=(0.0, 0.0, 0.0)):
    """Mean distance of the vertices from the ball."""
    return np.abs(np.linalg.norm(extract(field).vertices - np.asarray(centre), axis=1) - radius).mean()


@pytest.fixture(scope="module")
def ball():
    return ball_views()


@pytest.fixture(scope="module")
def fitted(ball):
    return fit(MultiView(tuple(replace(view, normal=None) for view in ball.views), "ball"), SMALL)


def test_fit_carves_the_hull_to_the_ball(ball, fitted):
    hull_only = fit(ball, replace(SMALL, steps=2))
    assert _error(fitted) < 0.35 * fitted.voxel
    assert _error(fitted) < 0.6 * _error(hull_only)


def test_colors_are_those_of_the_views(fitted):
    from balls import stripes

    mesh = extract(fitted)
    seen = np.abs(mesh.vertices[:, 1]) < 0.25  # the caps are seen at grazing angles only
    off = np.abs(mesh.colors / 255 - stripes(mesh.vertices))[seen]
    assert off.mean() < 0.06


def test_normals_help_where_colors_say_nothing(ball):
    """A gray ball: only its outline and, when given, its normals tell that it is round."""
    gray = ball_views(paint=lambda points: np.full(points.shape, 0.6))
    blind = MultiView(tuple(replace(view, normal=None) for view in gray.views), "gray")
    with_normals, without = fit(gray, SMALL), fit(blind, SMALL)
    assert _error(with_normals) < 0.7 * _error(without)
    assert _error(with_normals) < 0.15 * with_normals.voxel


def test_same_seed_same_bytes_whatever_the_threads(ball, monkeypatch):
    """With normals and without; on one processor and on more of them than there are gradient grids."""
    config = replace(SMALL, steps=8)
    bare = replace(ball, views=tuple(replace(view, normal=None) for view in ball.views))
    for views in (ball, bare):
        found = set()
        for count in (1, 3, 8, 16):
            monkeypatch.setattr(fit_module, "processors", lambda count=count: range(count))
            field = fit(views, config, seed=3)
            found.add((field.sdf.tobytes(), field.color.tobytes()))
        assert len(found) == 1
        assert field.sdf.tobytes() != fit(views, config, seed=4).sdf.tobytes()


def test_views_of_any_pose_size_and_number():
    centre = (0.04, -0.02, 0.03)
    views = []
    for index, (azimuth, height) in enumerate([(0, 0.4), (1.1, -0.5), (2.3, 1.6), (3.4, 0.1), (4.4, -1.2)]):
        position = np.array([2 * np.sin(azimuth), height, 2 * np.cos(azimuth)])
        width, tall = 80 + 16 * index, 120 - 12 * index
        focal = focal_px(30, min(width, tall))
        pose = look_at(position, np.array([0.02, 0.0, -0.01]))
        camera = Camera(pose, focal, focal, width / 2 - 2, tall / 2 + 1, width, tall)
        views.append(ball_view(camera, radius=0.3, centre=centre))
    field = fit(MultiView(tuple(views), "loose"), SMALL)
    assert _error(field, 0.3, centre) < 0.35 * field.voxel


def test_a_view_without_confidence_does_not_count(ball):
    wrong = replace(ball.views[0], rgb=1 - ball.views[0].rgb, alpha=np.ones_like(ball.views[0].alpha), confidence=0.0)
    field = fit(MultiView((*ball.views, wrong), "ball"), SMALL)
    assert field.sdf.tobytes() == fit(ball, SMALL).sdf.tobytes()


def test_progress_rises_to_one(ball):
    seen = []
    fit(ball, replace(SMALL, steps=5), progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) >= 5


def test_surface_stays_near_the_hull(ball):
    """No vertex may leave the silhouettes by more than the tolerance and a fraction of a voxel."""
    from zero123pp.recon.fitting.hull import Silhouettes

    field = fit(ball, SMALL)
    hull = Silhouettes(ball.views).grid(len(field.sdf), field.half_extent, radius=0.53)
    pixel = 1.8660254 / ball.views[0].camera.fx
    assert (field.sdf - hull).min() > -SMALL.hull_tolerance_px * pixel * 96 / 320 - 1e-5


def test_silhouettes_without_common_volume_are_an_error(ball):
    apart = [replace(view, alpha=np.zeros_like(view.alpha)) for view in ball.views]
    for index, columns in enumerate((slice(0, 10), slice(-10, None)) * 3):
        apart[index].alpha.flags.writeable = True
        apart[index].alpha[20:30, columns] = 1
    with pytest.raises(StageFailed, match="no common volume"):
        fit(MultiView(tuple(apart), "apart"), SMALL)


def test_empty_views_are_an_error(ball):
    views = [replace(view, alpha=np.zeros_like(view.alpha)) for view in ball.views]
    with pytest.raises(StageFailed, match="shows no object"):
        fit(MultiView(tuple(views), "empty"), SMALL)


@pytest.mark.parametrize(
    "wrong",
    [{"levels": ()}, {"levels": (64, 32)}, {"levels": (4,)}, {"steps": 0}, {"rays": 0}, {"sample_step": 0.0},
     {"weight_rgb": -1.0}, {"hull_tolerance_px": -0.1}, {"hull_outlier_views": -1}, {"radius": float("nan")}],
)  # fmt: skip
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FitConfig(**wrong)


@pytest.mark.slow
def test_real_sheet_silhouettes_agree(shared):
    """A sheet of the official model: the mesh, drawn from the six cameras, has the silhouettes of the sheet."""
    from PIL import Image

    from zero123pp.pipelines.inputs.sheets import views_from_sheet
    from zero123pp.recon.render import render

    sheet = np.asarray(Image.open(shared / "real" / "burger_v1.2.png"))
    views = views_from_sheet(sheet, "v1.2")
    mesh = extract(fit(views))
    overlaps = []
    for view in views.views:
        ours, theirs = render(mesh, view.camera).alpha > 0.5, view.alpha > 0.5
        overlaps.append((ours & theirs).sum() / (ours | theirs).sum())
    assert np.mean(overlaps) > 0.95
