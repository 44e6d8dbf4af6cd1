"""Posed pictures: cameras and objects come back from folders as other tools write them, and bad ones are refused."""

import copy
import json
import math
import shutil

import numpy as np
import pytest
from PIL import Image
from posed_files import ball_folder, ball_picture, bend, directions, opengl_pose, write

from zero123pp.cameras import project
from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.inputs.posed_cameras import Similarity, pinhole, spread, turn_up
from zero123pp.pipelines.inputs.posed_views import UP, posed_views
from zero123pp.pipelines.inputs.transforms_json import Lens
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.meshing.clean import clean
from zero123pp.recon.meshing.extract import extract

CENTRE, RADIUS = np.array([3.0, -1.0, 2.0]), 1.7
QUICK = FitConfig(levels=(24, 40), steps=40)


def source_vertices(posed, config=QUICK) -> np.ndarray:
    """Vertices of the fitted surface in the frame of the file."""
    mesh, report = clean(extract(fit(posed.views, config)))
    assert report["watertight"] and report["manifold"]
    back = np.array(posed.report()["source_from_world"])
    return mesh.vertices @ back[:3, :3].T + back[:3, 3]


# --- true pictures stay what they are


def test_pictures_of_a_noisy_capture_reach_the_fit_untouched(tmp_path, monkeypatch):
    from zero123pp import ImageTo3D
    from zero123pp.pipelines import reconstruct
    from zero123pp.recon.consistency.silhouettes import inconsistency_px

    content = ball_folder(tmp_path, 8, centre=CENTRE, radius=RADIUS)
    for frame, off in zip(content["frames"], np.random.default_rng(1).normal(0, 0.06, (8, 3))):
        for row, more in zip(frame["transform_matrix"], off):
            row[3] += more
    write(tmp_path, content)
    given, fitted = posed_views(tmp_path).views, []
    assert inconsistency_px(given.views) > 2 * reconstruct.AlignConfig().inconsistency_px

    def stop(views, *_, **__):
        fitted.append(views)
        raise BadInput("seen enough")

    monkeypatch.setattr(reconstruct, "fit", stop)
    with pytest.raises(BadInput, match="seen enough"):
        ImageTo3D.from_pretrained("inflated")(views=tmp_path)
    for view, want in zip(fitted[0].views, given.views):
        np.testing.assert_array_equal(view.rgb, want.rgb)
        np.testing.assert_array_equal(view.alpha, want.alpha)


# --- the object comes back


@pytest.mark.parametrize(("count", "orthographic"), [(4, False), (4, True), (10, False), (64, True)])
def test_a_ball_comes_back_to_where_the_file_says(tmp_path, count, orthographic):
    ball_folder(tmp_path, count, centre=CENTRE, radius=RADIUS, orthographic=orthographic)
    posed = posed_views(tmp_path)
    assert len(posed.views) == count and posed.orthographic == orthographic * count
    # All of it lies in the sphere of radius 0.5, and fills it as well as the silhouettes of so few views can tell.
    in_world = posed.similarity.world_from_source @ [*CENTRE, 1]
    assert np.linalg.norm(in_world[:3]) + posed.similarity.scale * RADIUS <= 0.5
    assert posed.similarity.scale * RADIUS > (0.34 if count == 4 else 0.44)
    distance = np.linalg.norm(source_vertices(posed) - CENTRE, axis=1)
    assert np.median(distance) == pytest.approx(RADIUS, rel=0.02)
    assert distance.min() > (0.9 if count == 4 else 0.95) * RADIUS
    assert distance.max() < (1.12 if count == 4 else 1.05) * RADIUS


def test_the_guess_of_unit_and_place_does_not_matter(tmp_path):
    ball_folder(tmp_path / "far", 8, centre=(900, 50, -300), radius=70, distance=300)
    ball_folder(tmp_path / "near", 8, centre=(0, 0, 0), radius=0.003, distance=0.016)
    for folder, centre, radius in (("far", (900, 50, -300), 70), ("near", (0, 0, 0), 0.003)):
        posed = posed_views(tmp_path / folder)
        assert 0.42 < posed.similarity.scale * radius < 0.5
        assert np.linalg.norm(posed.similarity.centre - centre) < 0.1 * radius


def test_up_turns_the_object_upright(tmp_path):
    content = ball_folder(tmp_path, 6)
    for name, axis in UP.items():
        rotation = posed_views(tmp_path, up=name).similarity.rotation
        np.testing.assert_allclose(rotation @ axis, (0, 1, 0), atol=1e-12)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) > 0
    # As glTF exporters of z-up programs do: what faced -y there faces +z here.
    np.testing.assert_allclose(posed_views(tmp_path).similarity.rotation @ (0, -1, 0), (0, 0, 1), atol=1e-12)
    write(tmp_path, content | {"up": [0, -2, 0]})
    np.testing.assert_allclose(posed_views(tmp_path).similarity.rotation @ (0, -1, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(posed_views(tmp_path, up="z").similarity.rotation @ (0, 0, 1), (0, 1, 0), atol=1e-12)


def test_turning_up_is_a_rotation_for_any_direction():
    rng = np.random.default_rng(0)
    for up in [*rng.standard_normal((50, 3)), np.array([1e-9, -1, 0])]:
        up = up / np.linalg.norm(up)
        rotation = turn_up(up)
        np.testing.assert_allclose(rotation @ up, (0, 1, 0), atol=1e-6)
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-6)


def test_a_similarity_and_its_report_are_inverse():
    similarity = Similarity(0.3, turn_up(np.array([0.6, 0, 0.8])), np.array([5.0, 6, 7]))
    report = similarity.report()
    np.testing.assert_allclose(
        np.array(report["world_from_source"]) @ report["source_from_world"], np.eye(4), atol=1e-9
    )
    np.testing.assert_allclose(similarity.world_from_source @ [5, 6, 7, 1], (0, 0, 0, 1), atol=1e-12)


def test_a_box_of_the_file_limits_the_object(tmp_path):
    content = ball_folder(tmp_path, 12, centre=(0, 0, 0), radius=1.0, distance=6)
    free = posed_views(tmp_path).similarity
    write(tmp_path, content | {"aabb": [[-2, -2, 0.0], [2, 2, 2]]})
    upper = posed_views(tmp_path).similarity
    assert free.centre[2] == pytest.approx(0, abs=0.1)
    assert upper.centre[2] == pytest.approx(0.5, abs=0.1)


# --- cameras


def test_views_see_what_the_pictures_saw(tmp_path):
    """Points on the object project to the same colour as before, through crop, scale and similarity."""
    ball_folder(tmp_path, 8, centre=CENTRE, radius=RADIUS, size=(128, 96))
    posed = posed_views(tmp_path)
    for view in posed.views.views:
        camera = view.camera
        towards = camera.world_from_cam[:3, 3] / np.linalg.norm(camera.world_from_cam[:3, 3])
        middle = posed.similarity.world_from_source[:3] @ [*CENTRE, 1]
        radius = posed.similarity.scale * RADIUS
        normal = towards + 0.4 * np.cross(towards, (0.3, 0.5, 0.8))
        normal /= np.linalg.norm(normal)
        px, depth = project(camera, middle + radius * normal)
        assert depth > 0
        color = view.rgb[int(px[1]), int(px[0])]
        np.testing.assert_allclose(color, 0.5 + 0.5 * posed.similarity.rotation.T @ normal, atol=0.03)


@pytest.mark.parametrize("px_per_object", [64, 320, 2048])
def test_a_long_lens_is_an_orthographic_camera_to_a_fiftieth_of_a_pixel(px_per_object):
    """Exactly, in the sphere: no view is farther off than what the module promises, and far below 0.1 px."""
    rng = np.random.default_rng(1)
    centre, radius = np.array([4.0, 2, -3]), 2.5
    per_unit = px_per_object / (2 * radius)
    ball = rng.standard_normal((4000, 3))
    ball *= radius * rng.random((4000, 1)) ** (1 / 3) / np.linalg.norm(ball, axis=1, keepdims=True)
    for direction in directions(6):
        pose = opengl_pose(direction, centre + np.array([0.5, 0.2, -0.4]), 7.0, roll=0.7)
        pose[:3, :3] = pose[:3, :3] @ np.diag([1, -1, -1])
        camera = pinhole(pose, Lens((per_unit,) * 2, (200.0, 150.0), True), (400, 300), centre, radius)
        points = centre + ball
        exact = per_unit * ((points - pose[:3, 3]) @ pose[:3, :3])[:, :2] + (200, 150)
        off = np.linalg.norm(project(camera, points)[0] - exact, axis=1)
        assert 0.002 < off.max() < 0.021


def test_rays_of_a_long_lens_survive_single_precision():
    """What the kernels get: rays start near the grid, so their rounding is far below a pixel."""
    from zero123pp.cameras import pixel_rays
    from zero123pp.recon.fitting.targets import ray_table
    from zero123pp.recon.ops.field import rays as ray
    from zero123pp.types import View

    pose = opengl_pose(directions(5)[1], np.zeros(3), 3.0) @ np.diag([1.0, -1, -1, 1])
    camera = pinhole(pose, Lens((320.0, 320.0), (160.0, 160.0), True), (320, 320), np.zeros(3), 0.5)
    view = View(np.ones((320, 320, 3)), np.ones((320, 320)), camera)
    half, resolution = 0.53, 96
    table = ray_table([view], half, resolution, 0)
    per_voxel = (resolution - 1) / (2 * half)
    origin, exact = pixel_rays(camera)
    exact = exact.reshape(-1, 3)
    from_table = table[:, ray.ORIGIN : ray.ORIGIN + 3].astype(float) / per_voxel - half
    towards = table[:, ray.DIRECTION : ray.DIRECTION + 3].astype(float)
    # Where both pass the object's middle plane.
    at = (
        from_table
        - (from_table @ camera.world_from_cam[:3, 2])[:, None]
        * towards
        / (towards @ camera.world_from_cam[:3, 2])[:, None]
    )
    true = origin - (origin @ camera.world_from_cam[:3, 2]) * exact / (exact @ camera.world_from_cam[:3, 2])[:, None]
    assert np.linalg.norm(at - true, axis=1).max() * 320 < 0.01


def test_intrinsics_of_frames_win_over_those_of_the_file(tmp_path):
    content = ball_folder(tmp_path, 6)
    reference = posed_views(tmp_path).views.views
    angle = 2 * math.atan(content["w"] / 2 / content["fl_x"])
    moved = {key: content[key] for key in ("fl_x", "fl_y", "w", "h")}
    per_frame = [{**frame, **moved} for frame in content["frames"]]
    write(tmp_path, {"camera_angle_x": 0.1, "fl_x": 3.0, "w": 5, "h": 5, "frames": per_frame})
    for ours, theirs in zip(posed_views(tmp_path).views.views, reference):
        np.testing.assert_allclose(ours.camera.world_from_cam, theirs.camera.world_from_cam)
    write(tmp_path, {"camera_angle_x": angle, "frames": content["frames"]})
    by_angle = posed_views(tmp_path).views.views[0].camera
    assert by_angle.fx == pytest.approx(reference[0].camera.fx) and by_angle.fy == pytest.approx(by_angle.fx)


def test_pictures_may_be_scaled_and_named_without_suffix(tmp_path):
    content = ball_folder(tmp_path, 6, suffix="")
    reference = posed_views(tmp_path).similarity
    double = {"fl_x": 2 * content["fl_x"], "w": 2 * content["w"], "h": 2 * content["h"], "k1": 0, "p2": 0.0}
    write(tmp_path, {"frames": content["frames"], "camera_model": "OPENCV", **double})
    scaled = posed_views(tmp_path).similarity
    assert scaled.scale == pytest.approx(reference.scale)
    np.testing.assert_allclose(scaled.centre, reference.centre)


def test_the_camera_file_may_lie_elsewhere(tmp_path):
    content = ball_folder(tmp_path / "capture", 5)
    (tmp_path / "capture" / "transforms.json").unlink()
    elsewhere = tmp_path / "cameras.json"
    elsewhere.write_text(json.dumps(content))
    assert len(posed_views(tmp_path / "capture", elsewhere).views) == 5
    # Paths relative to the file, pictures named by their own folder.
    write(tmp_path / "capture", content)
    assert len(posed_views(tmp_path / "capture" / "images", tmp_path / "capture" / "transforms.json").views) == 5


def test_large_captures_are_averaged_down(tmp_path, monkeypatch):
    from zero123pp.pipelines.inputs import posed_views as module

    ball_folder(tmp_path, 6)
    monkeypatch.setattr(module, "MAX_PIXELS", 6 * 40 * 40)
    for view in posed_views(tmp_path).views.views:
        assert view.camera.width * view.camera.height <= 41 * 41
        assert view.alpha.max() > 0.99


# --- what is refused


def _edit(change):
    def apply(folder, content):
        change(content)
        write(folder, content)

    return apply


def _frame(index, **values):
    return _edit(lambda content: content["frames"][index].update(values))


def _matrix(change):
    def apply(folder, content):
        matrix = np.array(content["frames"][2]["transform_matrix"])
        change(matrix)
        content["frames"][2]["transform_matrix"] = matrix.tolist()
        write(folder, content)

    return apply


def _set(where, value):
    def change(matrix):
        matrix[where] = value

    return change


def _picture(mode):
    def apply(folder, content):
        path = folder / "images" / "001.png"
        rgba = np.array(Image.open(path))
        if mode == "rgb":
            Image.fromarray(rgba[..., :3].copy()).save(path)
        elif mode == "clear":
            rgba[..., 3] = 0
            Image.fromarray(rgba).save(path)
        elif mode == "text":
            path.write_text("no picture")
        elif mode == "other size":
            Image.fromarray(rgba[:50].copy()).save(path)
        elif mode == "gone":
            path.unlink()

    return apply


def _outside_link(folder, content):
    outside = folder.parent / "outside.png"
    Image.fromarray(np.zeros((96, 96, 4), np.uint8)).save(outside)
    (folder / "images" / "001.png").unlink()
    (folder / "images" / "001.png").symlink_to(outside)


def _loop(folder, content):
    (folder / "images" / "001.png").unlink()
    (folder / "images" / "001.png").symlink_to(folder / "images" / "001.png")


def _raw(text):
    return lambda folder, content: (folder / "transforms.json").write_text(text)


def _all_poses(change):
    def apply(folder, content):
        for frame in content["frames"]:
            frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()
        write(folder, content)

    return apply


REFUSED = {
    "no file": (lambda folder, content: (folder / "transforms.json").unlink(), "no camera file"),
    "no json": (_raw("{"), "not JSON"),
    "deep json": (_raw("[" * 200_000), "not JSON"),
    "a list": (_raw("[1, 2]"), "JSON object"),
    "no frames": (_raw("{}"), 'no list "frames"'),
    "three frames": (_edit(lambda c: c.update(frames=c["frames"][:3])), "3 frames"),
    "frame is a number": (_edit(lambda c: c["frames"].__setitem__(2, 7)), "frames[2]"),
    "no path": (_frame(2, file_path=None), "file_path None"),
    "no matrix": (_edit(lambda c: c["frames"][2].pop("transform_matrix")), "no transform_matrix"),
    "text matrix": (_frame(2, transform_matrix="identity"), "not an array of numbers"),
    "ragged matrix": (_frame(2, transform_matrix=[[1, 0], [1]]), "not an array of numbers"),
    "3x3 matrix": (_frame(2, transform_matrix=np.eye(3).tolist()), "shape (3, 3)"),
    "NaN": (_matrix(_set((0, 3), np.nan)), "not finite"),
    "infinite": (_matrix(_set((1, 1), np.inf)), "not finite"),
    "zero matrix": (_matrix(_set(slice(0, 3), 0)), "singular"),
    "singular": (_matrix(_set((slice(0, 3), 0), 0)), "singular"),
    "stretched": (_matrix(lambda m: m.__imul__(np.array([1, 2, 1, 1]))), "stretches"),
    "mirrored": (_matrix(lambda m: m.__imul__(np.array([-1, 1, 1, 1]))), "mirrors"),
    "projective": (_matrix(_set((3, 0), 0.5)), "last row"),
    "missing picture": (_picture("gone"), "missing"),
    "no picture": (_picture("text"), "001.png"),
    "no alpha": (_picture("rgb"), "no alpha"),
    "transparent": (_picture("clear"), "shows no object"),
    "another size": (_picture("other size"), "96x50 px"),
    "path out of the folder": (_frame(1, file_path="../../etc/passwd"), "leads out"),
    "absolute path": (_frame(1, file_path="/etc/passwd"), "leads out"),
    "link out of the folder": (_outside_link, "leads out"),
    "NUL in a path": (_frame(1, file_path="a\0b.png"), "file_path"),
    "long path": (_frame(1, file_path="a" * 5000), "cannot be read"),
    "loop of links": (_loop, "cannot be read"),
    "huge lens": (_edit(lambda c: c.update(fl_x=10**400)), "fl_x"),
    "NaN lens": (_edit(lambda c: c.update(fl_x=math.nan)), "fl_x 'nan'"),
    "unknown lens": (_edit(lambda c: c.update(camera_model="THIN_PRISM")), "THIN_PRISM"),
    "beyond any lens": (_edit(lambda c: c.update(k1=1e6)), "distortion beyond any lens (k1)"),
    "fisheye with p1": (_edit(lambda c: c.update(camera_model="OPENCV_FISHEYE", p1=0.1)), "fisheye with p1 0.1"),
    "missing mask": (_frame(1, mask_path="masks/1.png"), "masks/1.png"),
    "mask out of the folder": (_frame(1, mask_path="../../etc/passwd"), "leads out"),
    "no lens": (_edit(lambda c: [c.pop("fl_x"), c.pop("fl_y")]), "no focal length"),
    "no lens at all": (_edit(lambda c: c.update(fl_x=1e-300)), "fl_x 1e-300"),
    "negative lens": (_edit(lambda c: c.update(fl_x=-5)), "fl_x -5"),
    "text lens": (_edit(lambda c: c.update(fl_x="wide")), "fl_x 'wide'"),
    "angle": (_edit(lambda c: [c.pop("fl_x"), c.pop("fl_y"), c.update(camera_angle_x=4)]), "camera_angle_x 4"),
    "no scale": (_edit(lambda c: c.update(camera_model="orthographic")), "ortho_scale is None"),
    "box": (_edit(lambda c: c.update(aabb=[[1, 1, 1], [0, 0, 0]])), "aabb"),
    "empty box": (_edit(lambda c: c.update(aabb=[[50, 50, 50], [51, 51, 51]])), "no common volume"),
    "up": (_edit(lambda c: c.update(up=[0, 0, 0])), '"up"'),
    "OpenCV axes": (_all_poses(lambda m: m @ np.diag([1, -1, -1, 1])), "behind 6 of 6 cameras"),
    "one direction": (
        _all_poses(lambda m: np.block([[np.eye(3), m[:3, 3:] * 0 + [[0], [0], [9]]], [0, 0, 0, 1]])),
        "one line",
    ),
}


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good") / "capture"
    return folder, ball_folder(folder, 6)


@pytest.mark.parametrize("case", REFUSED)
def test_bad_folders_are_refused_with_one_line(case, good_folder, tmp_path, capsys):
    spoil, named = REFUSED[case]
    folder, out = tmp_path / "capture", tmp_path / "ball.glb"
    shutil.copytree(good_folder[0], folder)
    spoil(folder, copy.deepcopy(good_folder[1]))
    code = main(["--views", str(folder), "--out", str(out)])
    printed, line = capsys.readouterr()
    assert code == 2 and printed == ""
    assert line.count("\n") == 1 and "Traceback" not in line
    assert named in line, line
    assert len(line) < 500 and not out.exists()


def test_silhouettes_that_do_not_belong_together_are_refused(tmp_path):
    content = ball_folder(tmp_path, 15)
    content["frames"][0]["file_path"], centre = "images/other.png", np.array([3.0, -1, 2])
    pose = np.array(content["frames"][0]["transform_matrix"])
    aside = centre - 1.08 * RADIUS * pose[:3, 0]  # a ball that this camera sees beside the true one
    Image.fromarray(ball_picture(pose, aside, 0.06, focal=content["fl_x"])).save(tmp_path / "images" / "other.png")
    write(tmp_path, content)
    with pytest.raises(BadInput, match="no common volume"):
        posed_views(tmp_path)


def test_usage(tmp_path, capsys):
    ball_folder(tmp_path / "capture", 4)
    sheet, out = tmp_path / "sheet.png", tmp_path / "out.glb"
    Image.fromarray(np.full((192, 128, 4), 255, np.uint8)).save(sheet)
    for arguments, named in (
        (["--views", tmp_path / "capture", "--rig", "v1.1"], "bring their own cameras"),
        (["--views", sheet, "--cameras", tmp_path / "capture" / "transforms.json"], "not a folder"),
        (["--views", sheet, "--up", "y"], "--up says nothing about these --views: a sheet"),
        (["--image", sheet, "--cameras", "x.json"], "--cameras belongs to --views"),
    ):
        code = main([*map(str, arguments), "--out", str(out)])
        line = capsys.readouterr().err
        assert code == 2 and line.count("\n") == 1 and named in line, line
    assert not out.exists()


# --- as other tools and systems write them


def _as_jpegs(folder, content, mask_of):
    """Pictures without alpha on a busy ground, and masks where ``mask_of`` puts them."""
    for index, frame in enumerate(content["frames"]):
        png = folder / "images" / f"{index:03}.png"
        pixels = np.asarray(Image.open(png)).copy()
        mask = mask_of(folder, index, frame)
        mask.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels[..., 3]).save(mask)
        ground = np.random.default_rng(index).integers(0, 255, (*pixels.shape[:2], 3))
        alpha = pixels[..., 3:] / 255.0
        Image.fromarray((alpha * pixels[..., :3] + (1 - alpha) * ground).astype(np.uint8)).save(
            png.with_suffix(".jpg"), quality=95
        )
        png.unlink()
        frame["file_path"] = f"images/{index:03}.jpg"


def _named(folder, index, frame):
    frame["mask_path"] = f"m/{index}_mask.png"
    return folder / frame["mask_path"]


@pytest.mark.parametrize(
    "mask_of",
    [
        _named,
        lambda folder, index, frame: folder / "masks" / f"{index:03}.png",
        lambda folder, index, frame: folder / "images" / "masks" / f"{index:03}.jpg.png",
    ],
    ids=["named", "beside the folder", "COLMAP's names"],
)
def test_jpegs_with_masks_are_as_pictures_with_alpha(tmp_path, mask_of):
    content = ball_folder(tmp_path, 6, centre=CENTRE, radius=RADIUS)
    want = posed_views(tmp_path)
    _as_jpegs(tmp_path, content, mask_of)
    write(tmp_path, content)
    found = posed_views(tmp_path)
    assert found.similarity.centre == pytest.approx(want.similarity.centre, abs=1e-9)
    for view, other in zip(found.views.views, want.views.views):
        np.testing.assert_array_equal(view.alpha, other.alpha)
        assert np.abs(view.rgb - other.rgb)[view.alpha > 0.99].mean() < 0.05


def test_masks_of_other_kinds(tmp_path):
    content = ball_folder(tmp_path, 4, centre=CENTRE, radius=RADIUS)
    want = posed_views(tmp_path).views.views
    _as_jpegs(tmp_path, content, _named)
    write(tmp_path, content)
    for index in range(4):
        path = tmp_path / "m" / f"{index}_mask.png"
        mask = Image.open(path)
        if index == 0:  # booleans as numbers
            mask = Image.fromarray((np.asarray(mask) > 127).astype(np.uint8))
        elif index == 1:  # twice as large
            mask = mask.resize((192, 192), Image.Resampling.NEAREST)
        elif index == 2:
            mask = mask.convert("RGB")
        else:  # black, with an alpha
            mask = Image.fromarray(np.dstack([np.zeros((96, 96, 3), np.uint8), np.asarray(mask)]))
        mask.save(path)
    for view, other in zip(posed_views(tmp_path).views.views, want):
        assert np.abs(view.alpha - other.alpha).mean() < 0.01
    Image.new("L", (50, 96)).save(tmp_path / "m" / "0_mask.png")
    with pytest.raises(BadInput, match=r"96x96 px but its mask 0_mask\.png 50x96"):
        posed_views(tmp_path)


def test_names_from_windows_are_found(tmp_path):
    content = ball_folder(tmp_path, 4)
    want = posed_views(tmp_path).views
    for index, frame in enumerate(content["frames"]):
        (tmp_path / "images" / f"{index:03}.png").rename(tmp_path / "images" / f"{index:03}.PNG")
        frame["file_path"] = f".\\Images\\{index:03}.png"
    write(tmp_path, content)
    assert posed_views(tmp_path).views == want


def test_of_many_frames_some_are_taken_evenly(tmp_path):
    content = ball_folder(tmp_path, 66, centre=CENTRE, radius=RADIUS)
    write(tmp_path, content).rename(tmp_path / "transforms_train.json")
    posed = posed_views(tmp_path)
    assert len(posed.views) == 64 and posed.views.note.startswith("64 of the 66 frames are used")
    assert posed.similarity.centre == pytest.approx(CENTRE, abs=0.02 * RADIUS)
    # A crowd of cameras at one place and six others: all places are taken before any is taken twice.
    poses = [np.array(frame["transform_matrix"]) for frame in content["frames"][:7]]
    assert spread([poses[3]] * 70 + poses, 7) == [0, 70, 71, 72, 74, 75, 76]
    assert spread(poses, 99) == list(range(7))


def test_distorted_pictures_give_the_object_of_straight_ones(tmp_path):
    content = ball_folder(tmp_path, 6, centre=CENTRE, radius=RADIUS)
    want = posed_views(tmp_path).similarity
    content |= {"camera_model": "OPENCV", "k1": -0.25, "k2": 0.05, "p1": 0.002, "p2": -0.001}
    for path in (tmp_path / "images").iterdir():
        bend(path, content)
    plain = {key: value for key, value in content.items() if key not in ("k1", "k2", "p1", "p2")}
    write(tmp_path, plain)
    blind = posed_views(tmp_path).similarity
    write(tmp_path, content)
    found = posed_views(tmp_path).similarity
    assert found.scale == pytest.approx(want.scale, rel=0.01)
    assert found.centre == pytest.approx(want.centre, abs=0.02 * RADIUS)
    assert abs(blind.scale / want.scale - 1) > 2 * abs(found.scale / want.scale - 1)


# --- the whole way


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_a_folder_becomes_a_textured_mesh_with_the_way_back(tmp_path, orthographic):
    import trimesh

    ball_folder(tmp_path / "capture", 8, centre=CENTRE, radius=RADIUS, orthographic=orthographic)
    out, report = tmp_path / "ball.glb", tmp_path / "ball.json"
    options = ["--preset", "fast", "--faces", "2000", "--texture-size", "256", "--report", str(report)]
    code = main(["--views", str(tmp_path / "capture"), "--out", str(out), *options])
    assert code == 0
    told = json.loads(report.read_text())
    assert told["views"] == 8 and told["rig"] is None
    assert told["source_frame"]["orthographic_views"] == 8 * orthographic
    assert told["mesh"]["watertight"] and told["mesh"]["manifold"]
    assert min(told["agreement"]["silhouette_iou"]) > 0.97
    assert np.median(told["agreement"]["foreground_psnr_db"]) > 28
    mesh = trimesh.load(out, force="mesh")
    back = np.array(told["source_frame"]["source_from_world"])
    vertices = mesh.vertices @ back[:3, :3].T + back[:3, 3]
    assert np.median(np.linalg.norm(vertices - CENTRE, axis=1)) == pytest.approx(RADIUS, rel=0.02)
