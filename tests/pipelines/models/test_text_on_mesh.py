"""A mesh drawn from a text: its mask and depth by an independent ray cast, and the whole way to a painted file."""

import numpy as np
import pytest
from toy import toy_mesh

pytest.importorskip("diffusers")

from refusals import refused

from zero123pp.errors import BadInput
from zero123pp.pipelines.models import depth_control, text_on_mesh
from zero123pp.pipelines.models.text_on_mesh import draw_on_mesh, input_camera


def embree_depths(mesh, camera):
    """Distance to the camera plane of the first hit through each pixel's centre, 0 for none; by Embree."""
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("embreex")
    pose = np.asarray(camera.world_from_cam, np.float64)
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], -1).reshape(-1, 3)
    solid = trimesh.Trimesh(mesh.vertices.astype(np.float64), mesh.faces, process=False)
    origins = np.broadcast_to(pose[:3, 3], rays.shape)
    places, hit, _ = solid.ray.intersects_location(origins, rays @ pose[:3, :3].T, multiple_hits=False)
    depth = np.zeros(len(rays))
    depth[hit] = (places - pose[:3, 3]) @ pose[:3, 2]
    return depth.reshape(camera.height, camera.width)


def test_the_depth_and_its_picture_are_those_of_an_independent_ray_cast():
    mesh, camera = toy_mesh(48), input_camera(192)
    ours, theirs = depth_control.depth_from(mesh, camera), embree_depths(mesh, camera)
    # Embree is single precision: a ray through a triangle's very rim may fall to either side.
    differ = (ours > 0) != (theirs > 0)
    assert differ.sum() <= 2 and (ours > 0).mean() > 0.1
    both = (ours > 0) & (theirs > 0)
    np.testing.assert_allclose(ours[both], theirs[both], atol=2e-5)
    nearness = np.where(theirs > 0, 1 / np.maximum(theirs, 1) - 1 / (theirs.max() + 1), 0)  # inverse depth to the wall
    wanted = np.rint(nearness / nearness.max() * 255)
    picture = text_on_mesh.disparity_picture(ours)
    assert (picture == picture[..., :1]).all()
    assert np.abs(picture[..., 0] - wanted)[~differ].max() <= 1
    assert picture[ours == 0].max() == 0 < picture[ours > 0].min()
    assert picture.max() == 255 == picture[ours == ours[ours > 0].min()].max()
    assert not text_on_mesh.disparity_picture(np.zeros((4, 4))).any()


def test_the_picture_has_the_meshs_mask_and_follows_its_depth(text_model, text_controlnet, toy_obj, monkeypatch):
    seen = []
    drawn = text_on_mesh.sample
    monkeypatch.setattr(text_on_mesh, "sample", lambda *a, **k: seen.append(k["image"]) or drawn(*a, **k))

    def draw(mesh, seed=0):
        return draw_on_mesh("a robot", mesh, text_model, text_controlnet, seed=seed, steps=2, device="cpu")

    first, depth = draw(toy_obj), depth_control.depth_from(toy_obj, input_camera(32))
    np.testing.assert_array_equal(first[..., 3], np.where(depth > 0, 255, 0))
    np.testing.assert_array_equal(np.asarray(seen[0]), text_on_mesh.disparity_picture(depth))
    np.testing.assert_array_equal(draw(toy_obj), first)
    assert (draw(toy_obj, seed=1)[..., :3] != first[..., :3]).any()
    turned = toy_mesh(48)
    turned = turned.with_vertices(turned.vertices * [1, -1, 1])
    assert (draw(turned)[..., :3] != first[..., :3]).any()


def test_a_text_paints_a_mesh(text_model, text_controlnet, toy_obj, folders, run, monkeypatch):
    from zero123pp.pipelines import image_to_mesh

    cutouts, draw = [], image_to_mesh.draw_views
    monkeypatch.setattr(image_to_mesh, "draw_views", lambda *a: cutouts.extend(a[1]) or draw(*a))
    report, _ = run(
        "--prompt", "a robot", "--text-model", text_model, "--text-controlnet", text_controlnet, "--depth-from",
        toy_obj, "--texture-mesh", toy_obj, "--model", folders / "v1.1", "--controlnet", folders / "control",
    )  # fmt: skip
    assert report["cutout"] == "mask" and "picture" in report["seconds"]
    # The cutout is the picture's alpha, moved and scaled to the middle: the same share of its box is object.
    mask = depth_control.depth_from(toy_obj, input_camera(32)) > 0
    assert _share(cutouts[0].rgba[..., 3] > 127) == pytest.approx(_share(mask), abs=0.03)


def _share(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask.sum() / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))


def test_refusals(text_model, text_controlnet, toy_obj, folders, tmp_path, capsys):
    good = ["--prompt", "a robot", "--out", tmp_path / "o.glb", "--model", folders / "v1.1"]
    control = ["--controlnet", folders / "control", "--depth-from", toy_obj, "--text-model", text_model]
    assert "--text-controlnet belongs to --depth-from" in refused(capsys, *good, "--text-controlnet", text_controlnet)
    image = ["--image", tmp_path / "a.png", *good[2:]]
    assert "--text-controlnet belongs to --prompt" in refused(capsys, *image, *control[:4], "--text-controlnet", "x/y")
    assert "with --text-controlnet" in refused(capsys, *good, *control)  # none is known for a text of 16 channels
    other = refused(capsys, *good, *control, "--text-controlnet", folders / "control")
    assert "belongs to another model" in other and "--text-controlnet" in other
    assert "not in the local" in refused(capsys, *good, *control, "--text-controlnet", "nobody/nothing")
    assert not (tmp_path / "o.glb").exists()


def test_other_kinds_of_text_models_are_refused():
    class FluxPipeline:
        pass

    with pytest.raises(BadInput, match="FluxPipeline, which cannot"):
        text_on_mesh._controlled(FluxPipeline(), "some/flux", None, False)
