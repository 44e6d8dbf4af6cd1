"""Pictures of lit objects: depth, normals, furnace, colours where the cameras say."""

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera, pixel_centres, pixel_rays, project, unproject
from zero123pp.images import srgb_to_linear, to_float, untile_sheet
from zero123pp.pipelines.training_data.multiview.render_pass import render_pass
from zero123pp.pipelines.training_data.multiview.shot import developed, shoot
from zero123pp.pipelines.training_data.multiview.surface import Surface
from zero123pp.render.draw import ViewsConfig, draw_pass
from zero123pp.render.environment import Environment
from zero123pp.render.light import Scene
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, TexturedMesh

pytest.importorskip("embreex")

WHITE_SKY = Environment.of(np.ones((32, 64, 3)))
RADIUS = 0.4


def ball(radius: float = RADIUS, at: tuple[float, float, float] = (0, 0, 0), color=None) -> Mesh:
    import trimesh

    shape = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    colors = None if color is None else np.tile(np.uint8([color]), (len(shape.vertices), 1))
    return Mesh(shape.vertices + np.array(at), shape.faces, colors)


def shot_of(parts, camera, **options):
    surface = Surface(parts)
    scene = Scene(surface.vertices, surface.faces, surface.albedo)
    return shoot(surface, scene, camera, options.pop("environment", WHITE_SKY), **options)


@pytest.fixture(scope="module")
def white_ball():
    return shot_of([ball(color=(255, 255, 255))], orbit_camera(40, 20, 1.8, 30, 64))


def test_depth_of_a_sphere(white_ball):
    camera = orbit_camera(40, 20, 1.8, 30, 64)
    origin, rays = pixel_rays(camera)
    along = rays @ origin
    square = along**2 - (origin @ origin - RADIUS**2)
    forward = camera.world_from_cam[:3, 2]
    depth = np.where(square > 0, (-along - np.sqrt(np.maximum(square, 0))) * (rays @ forward), 0)
    inside = square > 0.02  # at the rim the ball of triangles is a little smaller
    np.testing.assert_allclose(white_ball.depth[inside], depth[inside], atol=1e-3)
    assert (white_ball.depth[square < 0] == 0).all()


def test_normals_of_a_sphere(white_ball):
    camera = orbit_camera(40, 20, 1.8, 30, 64)
    seen = white_ball.depth > 0
    points = unproject(camera, pixel_centres(camera)[seen], white_ball.depth[seen])
    world = points / np.linalg.norm(points, axis=1, keepdims=True)
    expected = world @ camera.world_from_cam[:3, :3] * (1, -1, -1)
    cosine = (white_ball.normals[seen] * expected).sum(1)
    assert cosine.min() > 0.995  # facets
    assert (white_ball.normals[~seen] == 0).all()
    middle = white_ball.normals[32, 32]
    assert middle[2] > 0.99 and white_ball.normals[12, 32][1] > 0.5 and white_ball.normals[32, 52][0] > 0.5


def test_alpha_is_the_covered_area(white_ball):
    focal = 32 / np.tan(np.deg2rad(15))
    radius_px = focal * RADIUS / np.sqrt(1.8**2 - RADIUS**2)
    assert white_ball.alpha.sum() == pytest.approx(np.pi * radius_px**2, rel=0.01)


def test_white_furnace_in_a_picture(white_ball):
    """A matt white ball in even white light is white all over, up to what eight rays in a pattern cannot tell."""
    full = white_ball.alpha == 1
    assert white_ball.radiance[full].mean() == pytest.approx(1, abs=5e-3)
    assert np.abs(white_ball.radiance[full] - 1).max() < 0.06
    picture = developed(white_ball, 1.0)
    assert (picture[full][:, :3] >= 248).all()


def test_exposure_is_linear_in_the_picture(white_ball):
    half = to_float(developed(white_ball, 0.5))[white_ball.alpha == 1][:, :3]
    np.testing.assert_allclose(srgb_to_linear(half), 0.5, atol=0.035)


def test_a_stick_shades_the_plate_under_it():
    sun = np.full((32, 64, 3), 1e-3)
    sun[6:8, 32] = 2e3  # 50 degrees up, in front
    plate = Mesh([[-0.4, 0, -0.4], [0.4, 0, -0.4], [0.4, 0, 0.4], [-0.4, 0, 0.4]], [[0, 2, 1], [0, 3, 2]])
    stick = ball(0.08, (0, 0.2, 0.1))
    camera = orbit_camera(0, 80, 2.0, 30, 64)
    options = {"environment": Environment.of(sun), "samples": 32}
    with_stick, without = (shot_of(parts, camera, **options) for parts in ([plate, stick], [plate]))
    # The shadow falls away from the sun by height / tan(elevation).
    elevation = np.deg2rad(90 - 180 * 7 / 32)
    shaded, _ = project(camera, np.array([[0, 0, 0.1 - 0.2 / np.tan(elevation)]]))
    x, y = shaded[0].astype(int)
    assert with_stick.radiance[y, x].mean() < 0.1 * without.radiance[y, x].mean()
    assert with_stick.radiance[y, 10].mean() == pytest.approx(without.radiance[y, 10].mean(), rel=0.05)


def test_textures_and_smooth_normals():
    mesh = ball()
    uvs = np.stack([np.clip(mesh.vertices[:, 0] + 0.5, 0, 1), np.full(len(mesh.vertices), 0.5)], -1)
    texture = np.zeros((1, 64, 3), np.uint8)
    texture[:, :32], texture[:, 32:] = (200, 0, 0), (0, 200, 0)
    normals = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    shot = shot_of([TexturedMesh(mesh, uvs, texture, normals)], orbit_camera(0, 0, 1.8, 30, 64))
    left, right = shot.radiance[32, 20], shot.radiance[32, 44]
    bright = srgb_to_linear(200 / 255)
    np.testing.assert_allclose(left, (bright, 0, 0), atol=0.03)
    np.testing.assert_allclose(right, (0, bright, 0), atol=0.03)
    seen = shot.depth > 0
    assert np.allclose(np.linalg.norm(shot.normals[seen], axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("rig", ["v1.2", "v1.1"])
def test_colours_lie_where_the_rigs_cameras_see_them(rig):
    """Three balls in three colours: in every tile each is where the rig's camera, turned by the query, projects it."""
    colors = np.eye(3, dtype=np.uint8) * 220
    places = np.array([(0.3, 0.15, 0), (-0.2, -0.2, 0.25), (0, 0.25, -0.3)])
    parts = [ball(0.08, place, color) for place, color in zip(places, colors)]
    config = ViewsConfig(rig=rig, tile_px=48, query_px=64, glossy=0.0)
    draw = draw_pass(config, ["white"], np.random.default_rng(3))
    samples = list(render_pass(parts, "balls-0", draw, WHITE_SKY, config, {"mesh": "balls"}))
    assert len(samples) == 24 and len({sample.key for sample in samples}) == 24
    checked = 0
    for sample in samples[::5]:
        a = np.deg2rad(sample.meta["query"]["azimuth_deg"])
        own = places @ np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]).T
        own = own * (-1, 1, 1) if sample.meta["mirrored"] else own
        tiles, depths = untile_sheet(sample.sheet), untile_sheet(sample.depth)
        for tile, tile_depth, camera in zip(tiles, depths, get_rig(rig).cameras(48)):
            px, depth = project(camera, own)
            for ball_px, ball_depth, color in zip(px, depth, colors):
                x, y = np.floor(ball_px).astype(int)
                if abs(tile_depth[y, x] - (ball_depth - 0.08)) < 0.01:  # not behind another ball
                    assert np.argmax(tile[y, x, :3]) == np.argmax(color), (sample.key, tile[y, x])
                    checked += 1
        query = sample.meta["query"]
        pose, (fx, fy, cx, cy) = np.array(query["world_from_cam"]), query["intrinsics_px"]
        in_cam = (own - pose[:3, 3]) @ pose[:3, :3]
        nearest = np.argmin(in_cam[:, 2])  # nothing can hide it
        x, y = (
            int(fx * in_cam[nearest, 0] / in_cam[nearest, 2] + cx),
            int(fy * in_cam[nearest, 1] / in_cam[nearest, 2] + cy),
        )
        assert np.argmax(sample.query[y, x, :3]) == nearest and sample.query[y, x, 3] == 255
    assert checked > 60


def test_against_mitsuba(tmp_path):
    """An independent renderer with the same light and as many segments gives the same picture."""
    mitsuba = pytest.importorskip("mitsuba")
    import trimesh

    mitsuba.set_variant("scalar_rgb")
    plate = Mesh([[-0.4, 0, -0.4], [0.4, 0, -0.4], [0.4, 0, 0.4], [-0.4, 0, 0.4]], [[0, 2, 1], [0, 3, 2]])
    parts = [plate, ball(0.2, (0, 0.21, 0))]
    environment = Environment.of(
        np.repeat(np.repeat(np.random.default_rng(0).gamma(0.5, size=(8, 16, 3)), 32, 0), 32, 1)
    )
    camera = orbit_camera(30, 20, 1.9, 30, 48)
    ours = shot_of(parts, camera, environment=environment, samples=128)
    look = mitsuba.ScalarTransform4f().look_at(camera.world_from_cam[:3, 3].tolist(), [0, 0, 0], [0, 1, 0])
    film = {"type": "hdrfilm", "width": 48, "height": 48, "rfilter": {"type": "box"}}
    sampler = {"type": "independent", "sample_count": 1024}
    scene = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": 3, "rr_depth": 99},
        "sensor": {"type": "perspective", "fov": 30, "to_world": look, "film": film, "sampler": sampler},
        "light": {"type": "envmap", "bitmap": mitsuba.Bitmap(environment.radiance)},
    }
    gray = {"type": "diffuse", "reflectance": {"type": "rgb", "value": float(srgb_to_linear(0.7))}}
    for number, part in enumerate(parts):
        file = tmp_path / f"{number}.ply"
        trimesh.Trimesh(part.vertices, part.faces, process=False).export(file)
        bsdf = {"type": "twosided", "b": gray}
        scene[f"part{number}"] = {"type": "ply", "filename": str(file), "face_normals": True, "bsdf": bsdf}
    loaded, full = mitsuba.load_dict(scene), ours.alpha == 1
    one, other = (np.array(mitsuba.render(loaded, seed=seed))[..., :3][full] for seed in (1, 2))
    theirs, noise = (one + other) / 2, np.abs(one - other).mean() / 2  # the mean error of the mean of two
    assert ours.radiance[full].mean() == pytest.approx(theirs.mean(), rel=0.01)
    assert np.abs(ours.radiance[full] - theirs).mean() < noise + 0.01 * theirs.mean()
