import dataclasses

import numpy as np
import pytest
from shapes import box, icosphere, painted

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput, ConfigError
from zero123pp.recon.export import save
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.ops.raster import rasterize, rasterize_uv
from zero123pp.recon.render import render
from zero123pp.recon.texturing.texture import TextureConfig, texture
from zero123pp.rigs import RIGS
from zero123pp.types import Camera, Mesh, View

SMALL = TextureConfig(size=512)


def picture_of(mesh: Mesh, camera: Camera, color=painted, **more) -> View:
    """What a camera sees of a mesh whose surface has the colour ``color(points)``, one exact sample a pixel."""
    fragments = rasterize(mesh.vertices, mesh.faces, camera)
    rgb = np.zeros((camera.height, camera.width, 3), np.float32)
    rgb[fragments.covered] = color(fragments.interpolate(mesh.faces, mesh.vertices))
    return View(rgb, fragments.covered.astype(np.float32), camera, **more)


def rig_views(mesh: Mesh, color=painted, pixels: int = 320) -> list[View]:
    return [picture_of(mesh, camera, color) for camera in RIGS["v1.2"].cameras(pixels)]


def psnr(view: View, truth: View, clear: np.ndarray | bool = True) -> float:
    both = (view.alpha > 0.99) & (truth.alpha > 0.99) & clear
    return -10 * np.log10(np.mean((view.rgb[both] - truth.rgb[both]) ** 2))


@pytest.mark.parametrize(("mesh", "floor"), [(icosphere(3), 38), (box(0.5, 16), 36)], ids=["sphere", "cube"])
def test_bake_and_render_again(tmp_path, mesh, floor, validate_glb):
    views = rig_views(mesh)
    asset, report = texture(mesh, views)
    held_out = [picture_of(mesh, orbit_camera(azimuth, 5, 1.8660254, 30, 320)) for azimuth in (0, 140)]
    for truth in views + held_out:
        view = render(asset, truth.camera, supersample=1)
        # Top and bottom of the cube are seen at 80 degrees at best: what is foreshortened beyond that is not asked for.
        assert psnr(view, truth, view.normal[..., 2] > 0.2) > floor
    assert report["seen"] > 0.75 and sum(report["view_share"]) == pytest.approx(1, abs=1e-5)
    assert np.allclose(report["gain"], 1, atol=0.02)
    save(asset, tmp_path / "asset.glb")
    validate_glb(tmp_path / "asset.glb")


def test_a_sharp_view_keeps_its_detail():
    """Stripes that only a larger picture can show, among six that are gray."""

    def stripes(points: np.ndarray) -> np.ndarray:
        wave = 0.5 + 0.4 * np.sign(np.sin(points[..., :1] * 2 * np.pi / 0.02))  # 7.5 px of the large picture
        return np.repeat(wave, 3, axis=-1)

    mesh = icosphere(3)
    front = orbit_camera(0, 0, 1.8660254, 30, 700)
    truth = picture_of(mesh, front, stripes)
    gray = lambda points: np.full(points.shape, 0.5)  # noqa: E731
    blurred = rig_views(mesh, gray, pixels=128)
    without, _ = texture(mesh, blurred)
    with_front, report = texture(mesh, [*blurred, truth])
    middle = (slice(275, 425), slice(275, 425))
    contrast = [render(asset, front, supersample=1).rgb[middle].std() for asset in (without, with_front)]
    assert contrast[0] < 0.01 and contrast[1] > 0.75 * truth.rgb[middle].std()
    assert report["view_share"][6] > 0.25


def test_what_is_hidden_takes_no_color_from_what_hides_it():
    """A red plate before a blue wall, seen from the front and from both sides."""
    plate, wall = box(0.2, 8), box(0.6, 16)
    flat = np.array([1, 1, 0.05], np.float32)
    parts = [plate.with_vertices(plate.vertices * flat + [0, 0, 0.15]), wall.with_vertices(wall.vertices * flat)]
    count = len(plate.vertices)
    mesh = Mesh(np.concatenate([part.vertices for part in parts]), np.concatenate([plate.faces, wall.faces + count]))

    def color(points: np.ndarray) -> np.ndarray:
        return np.where(points[..., 2:] > 0.08, [0.9, 0.1, 0.1], [0.1, 0.1, 0.9])

    views = [picture_of(mesh, orbit_camera(azimuth, 0, 1.8660254, 30, 320), color) for azimuth in (0, 50, -50, 180)]
    asset, _ = texture(mesh, views, SMALL)
    fragments = rasterize_uv(asset.uvs, asset.mesh.faces, 512, 512)
    points = fragments.interpolate(asset.mesh.faces, asset.mesh.vertices)
    painted_red = asset.base_color[fragments.covered][:, 0] > 128
    assert painted_red[points[:, 2] > 0.08].all() and not painted_red[points[:, 2] < 0.08].any()


def test_what_no_view_sees_is_filled_from_around_it():
    mesh = icosphere(4)
    uniform = lambda points: np.broadcast_to([0.2, 0.6, 0.4], points.shape)  # noqa: E731
    asset, report = texture(mesh, [picture_of(mesh, orbit_camera(0, 0, 1.8660254, 30, 320), uniform)], SMALL)
    assert 0.3 < report["seen"] < 0.5
    assert np.abs(asset.base_color.astype(int) - np.round(np.array([0.2, 0.6, 0.4]) * 255)).max() <= 1


def test_nothing_seen_falls_back_to_vertex_colors():
    sphere = icosphere(3)
    mesh = Mesh(sphere.vertices, sphere.faces, np.full(sphere.vertices.shape, (10, 200, 90), np.uint8))
    camera = orbit_camera(0, 0, 1.8660254, 30, 64)
    blank = View(np.ones((64, 64, 3)), np.zeros((64, 64)), camera)
    asset, report = texture(mesh, [blank], SMALL)
    assert report["seen"] == 0 and (asset.base_color == (10, 200, 90)).all()


def test_exposure_is_evened_out():
    mesh = icosphere(3)
    factors = [1.08, 0.93, 1.0, 1.05, 0.95, 1.0]
    views = [
        dataclasses.replace(view, rgb=view.rgb * factor) for view, factor in zip(rig_views(mesh), factors, strict=True)
    ]
    _, report = texture(mesh, views, SMALL)
    corrected = np.array(report["gain"]) * factors
    assert corrected.std() < 0.25 * np.std(factors)
    camera = orbit_camera(60, 0, 1.8660254, 30, 320)
    truth = picture_of(mesh, camera)
    on, off = (texture(mesh, views, dataclasses.replace(SMALL, match_gain=match))[0] for match in (True, False))
    assert psnr(render(on, camera), truth) > psnr(render(off, camera), truth)


def test_confidence_rules():
    mesh = icosphere(3)
    red = lambda points: np.broadcast_to([1.0, 0, 0], points.shape)  # noqa: E731
    green = lambda points: np.broadcast_to([0, 1.0, 0], points.shape)  # noqa: E731
    camera = orbit_camera(0, 0, 1.8660254, 30, 128)
    config = dataclasses.replace(SMALL, match_gain=False)
    ignored, report = texture(
        mesh, [picture_of(mesh, camera, red), picture_of(mesh, camera, green, confidence=0.0)], config
    )
    assert (ignored.base_color == (255, 0, 0)).all() and report["view_share"] == [1.0, 0.0]
    assert set(np.unique(ignored.confidence)) == {0, 255} and report["confidence"] == pytest.approx(report["seen"])
    behind = picture_of(mesh, orbit_camera(180, 0, 1.8660254, 30, 128), green, confidence=0.4)
    guessed, report = texture(mesh, [picture_of(mesh, camera, red), behind], config)
    colors = guessed.base_color[guessed.confidence > 0], guessed.confidence[guessed.confidence > 0]
    assert (colors[1][colors[0][:, 0] == 255] == 255).all() and (colors[1][colors[0][:, 1] == 255] == 102).all()
    assert 0.4 * report["seen"] < report["confidence"] < report["seen"]
    _, report = texture(mesh, [picture_of(mesh, camera, red), picture_of(mesh, camera, green, confidence=3.0)], config)
    assert report["view_share"] == pytest.approx([0.25, 0.75], abs=1e-4)
    for views in ([], [picture_of(mesh, camera, red, confidence=0.0)]):
        with pytest.raises(BadInput, match="confidence over 0"):
            texture(mesh, views, config)


def test_texture_repeats_itself_and_reports_progress():
    mesh = icosphere(3)
    views, seen = rig_views(mesh, pixels=96), []
    (one, first), (two, second) = (texture(mesh, views, SMALL, progress=seen.append) for _ in range(2))
    assert one.base_color.tobytes() == two.base_color.tobytes() and first == second
    assert seen[: len(seen) // 2] == sorted(seen[: len(seen) // 2]) and seen[-1] == 1.0 and min(seen) >= 0


def test_normals_are_smooth_across_seams():
    mesh = icosphere(3)
    asset, _ = texture(mesh, rig_views(mesh, pixels=96), SMALL)
    assert len(asset.mesh.vertices) > len(mesh.vertices)
    outward = asset.mesh.vertices / np.linalg.norm(asset.mesh.vertices, axis=1, keepdims=True)
    assert (asset.normals * outward).sum(1).min() > 0.999
    assert np.array_equal(asset.normals, smooth_normals(asset.mesh))


@pytest.mark.quick
@pytest.mark.parametrize(
    "bad",
    [
        {"size": 1000},
        {"size": 8},
        {"size": 16384},
        {"padding": -1},
        {"sharpness": 0.0},
        {"edge_px": -1.0},
        {"depth_step": 0.0},
    ],
)
def test_config_is_checked(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        TextureConfig(**bad)
