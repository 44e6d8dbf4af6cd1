"""Ground-truth views: where the object ends up, what the cameras see, and what degradations do to it."""

from dataclasses import replace

import numpy as np
import pytest

from zero123pp.errors import BadInput, ConfigError
from zero123pp.pipelines.evaluation.degrade import Degradation, degrade, smooth_field
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views, true_view
from zero123pp.recon.meshing.parts import geometry, load_normalised, normalise
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, TexturedMesh, View


def sphere(radius: float, color=(200, 100, 50), centre=(0, 0, 0)) -> Mesh:
    import trimesh

    ball = trimesh.creation.icosphere(4, radius)
    return Mesh(ball.vertices + centre, ball.faces, np.tile(np.uint8(color), (len(ball.vertices), 1)))


@pytest.fixture(scope="module")
def ball_view() -> View:
    return true_view([sphere(0.35)], get_rig("v1.2").cameras(160)[0])


# --- normalisation


def test_normalised_parts_are_centred_on_their_box_and_fill_the_sphere():
    parts = [sphere(1.0, centre=(10, 0, 0)), sphere(0.5, centre=(12, 3, -1))]
    moved = geometry(normalise(parts)).vertices
    np.testing.assert_allclose(moved.min(0) + moved.max(0), 0, atol=1e-6)
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(0.97 * 0.5, rel=1e-6)


def test_normalising_keeps_the_shape_and_what_belongs_to_the_parts():
    flat = Mesh([[0, 0, 0], [2, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    textured = TexturedMesh(flat, np.zeros((3, 2)), np.zeros((1, 1, 3), np.uint8), np.tile([0, 0, 1.0], (3, 1)))
    before, after = flat.vertices, normalise([textured])[0]
    assert isinstance(after, TexturedMesh)
    ratio = np.linalg.norm(np.diff(after.mesh.vertices, axis=0), axis=1) / np.linalg.norm(
        np.diff(before, axis=0), axis=1
    )
    assert ratio[0] == pytest.approx(ratio[1])
    np.testing.assert_array_equal(after.normals, textured.normals)
    colored = sphere(3.0)
    np.testing.assert_array_equal(normalise([colored])[0].colors, colored.colors)


def test_vertices_without_faces_do_not_count():
    ball = sphere(1.0)
    stray = Mesh(np.vstack([ball.vertices, [[50, 50, 50]]]), ball.faces)
    used = geometry(normalise([stray])).vertices[:-1]
    assert np.linalg.norm(used, axis=1).max() == pytest.approx(0.97 * 0.5, rel=1e-6)


@pytest.mark.parametrize(
    "mesh",
    [
        Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)),
        Mesh(np.ones((3, 3)), [[0, 1, 2]]),
        Mesh([[0, 0, 0], [1, 0, 0], [np.nan, 0, 1]], [[0, 1, 2]]),
    ],
    ids=["no faces", "one point", "not finite"],
)
def test_meshes_without_extent_are_refused(mesh):
    with pytest.raises(BadInput):
        normalise([mesh])


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "point.obj").write_text("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n")
    with pytest.raises(BadInput, match=r"point\.obj"):
        load_normalised(tmp_path / "point.obj")


# --- views


@pytest.mark.parametrize("rig", ["v1.1", "v1.2"])
def test_a_ball_looks_the_same_from_all_six_cameras_and_as_large_as_it_must(rig):
    views = ground_truth_views([sphere(0.3)], rig, tile_px=160, with_normals=True, with_depth=True)
    assert (len(views), views.rig) == (6, rig)
    distance = get_rig(rig).distance
    for view in views.views:
        radius_px = view.camera.fx * 0.3 / np.sqrt(distance**2 - 0.3**2)  # the silhouette's cone
        assert view.alpha.sum() == pytest.approx(np.pi * radius_px**2, rel=0.01)
        assert view.depth[80, 80] == pytest.approx(distance - 0.3, abs=2e-3)
        np.testing.assert_allclose(view.normal[80, 80], [0, 0, 1], atol=0.1)
        assert view.normal[80, 80 + int(radius_px * 0.7), 0] > 0.5  # x to the right
        assert view.normal[80 - int(radius_px * 0.7), 80, 1] > 0.5  # y up
        np.testing.assert_allclose(view.rgb[80, 80] * 255, [200, 100, 50], atol=1)


def test_each_camera_sees_the_side_that_faces_it():
    marked = [sphere(0.3, (128, 128, 128)), sphere(0.05, (255, 0, 0), centre=(0.3, 0, 0))]
    views = ground_truth_views(marked, tile_px=96).views
    red = [np.sum(view.alpha * (view.rgb[..., 0] - view.rgb[..., 1] > 0.5)) for view in views]
    assert np.argmax(red) == 1  # azimuth 90, where +x faces the camera
    assert red[4] == 0  # azimuth 270, behind the ball


def test_normals_and_depth_are_given_only_when_asked_for():
    plain = ground_truth_views([sphere(0.3)], tile_px=32).views[0]
    assert plain.normal is None and plain.depth is None
    asked = ground_truth_views([sphere(0.3)], tile_px=32, with_normals=True).views[0]
    assert asked.normal is not None and asked.depth is None


def test_colours_and_alphas_fit_into_eight_bits():
    view = ground_truth_views([sphere(0.3)], tile_px=64, degradation=Degradation(noise=0.1, gain=0.1)).views[0]
    for values in (view.rgb, view.alpha):
        np.testing.assert_allclose(values * 255, np.round(values * 255), atol=1e-4)
        assert 0 <= values.min() and values.max() <= 1


# --- degradations


def test_no_degradation_changes_nothing(ball_view):
    same = degrade(ball_view, Degradation(), key="a", index=0)
    np.testing.assert_array_equal(same.rgb, ball_view.rgb)
    np.testing.assert_array_equal(same.alpha, ball_view.alpha)


def test_degradations_repeat_for_an_object_and_differ_between_objects_views_and_seeds(ball_view):
    harm = Degradation(warp_px=3, gain=0.05, noise=0.02, blur_px=1)

    def rgb(**changes) -> bytes:
        return degrade(ball_view, harm, **{"key": "cow", "index": 0, "seed": 0} | changes).rgb.tobytes()

    assert rgb() == rgb()
    assert len({rgb(), rgb(key="mug"), rgb(index=1), rgb(seed=1)}) == 4


def test_the_warp_field_has_its_strength_and_is_smooth():
    field = smooth_field((320, 320), 40, np.random.default_rng(0))
    np.testing.assert_allclose(np.sqrt(np.mean(field**2, axis=(1, 2))), 1)
    slope = np.sqrt(np.mean(np.diff(field, axis=1) ** 2))
    # White noise under a Gaussian of standard deviation s has a gradient of rms 1 / (s sqrt 2) per axis.
    assert slope == pytest.approx(1 / (40 * np.sqrt(2)), rel=0.35)


def test_the_warp_does_not_depend_on_the_size_of_the_tile():
    shifts = []
    for size in (80, 320):
        ramp = np.repeat(np.linspace(0, 1, size, dtype=np.float32)[None, :, None], size, axis=0).repeat(3, axis=2)
        camera = get_rig("v1.2").cameras(size)[0]
        flat = View(ramp, np.ones((size, size)), camera)
        harm = Degradation(warp_px=6)
        moved = [degrade(flat, harm, key=str(k), index=0).rgb - ramp for k in range(8)]
        middle = slice(size // 4, -size // 4)
        shifts.append(np.sqrt(np.mean(np.square([m[middle, middle] for m in moved]))))
    assert shifts[0] == pytest.approx(6 / 320, rel=0.35)
    assert shifts[0] == pytest.approx(shifts[1], rel=0.35)


def test_the_warp_moves_all_channels_together(ball_view):
    warped = degrade(ball_view, Degradation(warp_px=5), key="a", index=0)
    assert np.abs(warped.alpha - ball_view.alpha).sum() > 50
    solid = warped.alpha > 0.99
    np.testing.assert_allclose(warped.rgb[solid], np.broadcast_to(ball_view.rgb[80, 80], (solid.sum(), 3)), atol=1e-3)
    inner = warped.alpha == 1
    assert np.mean(warped.depth[inner] > 0) > 0.98
    np.testing.assert_allclose(np.linalg.norm(warped.normal[warped.depth > 0], axis=1), 1, atol=1e-3)


def test_gain_scales_a_whole_view_within_its_range(ball_view):
    covered = ball_view.alpha > 0
    gains = []
    for index in range(40):
        ratio = degrade(ball_view, Degradation(gain=0.1), key="a", index=index).rgb[covered] / ball_view.rgb[covered]
        assert np.ptp(ratio) < 1e-4
        gains.append(ratio.mean())
    assert 0.9 <= min(gains) < 0.93 and 1.07 < max(gains) <= 1.1


def test_noise_has_its_standard_deviation(ball_view):
    gray = replace(ball_view, rgb=np.full_like(ball_view.rgb, 0.5))
    noisy = degrade(gray, Degradation(noise=0.03), key="a", index=0).rgb
    assert noisy.std() == pytest.approx(0.03, rel=0.03)


def test_blur_widens_the_edge_and_keeps_the_amount(ball_view):
    blurred = degrade(ball_view, Degradation(blur_px=4), key="a", index=0)
    assert blurred.alpha.sum() == pytest.approx(ball_view.alpha.sum(), rel=1e-3)
    partial = [np.sum((view.alpha > 0.05) & (view.alpha < 0.95)) for view in (blurred, ball_view)]
    assert partial[0] > 3 * partial[1]
    edge = (blurred.alpha > 0.05) & (blurred.alpha < 0.95)  # no background bleeds into straight colours
    np.testing.assert_allclose(blurred.rgb[edge], np.broadcast_to(ball_view.rgb[80, 80], (edge.sum(), 3)), atol=1e-2)


@pytest.mark.parametrize("changes", [{"warp_px": -1}, {"gain": float("nan")}, {"warp_px": 1, "warp_smoothness_px": 0}])
def test_impossible_degradations_are_refused(changes):
    with pytest.raises(ConfigError):
        Degradation(**changes)


def test_labels_name_what_was_done():
    assert Degradation().label == "clean"
    assert Degradation(warp_px=3, gain=0.05).label == "warp3_gain0.05"
