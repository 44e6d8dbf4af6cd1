"""The inflated source: views that agree with each other, with the cutout and with the rig, and honest colours."""

import subprocess
import sys

import numpy as np
import pytest
from figure import SKIN, figure
from scipy import ndimage

from zero123pp.cameras import OBJECT_RADIUS, pixel_centres, project, unproject
from zero123pp.errors import BadInput
from zero123pp.images import over, to_uint8
from zero123pp.pipelines.models import MODELS
from zero123pp.pipelines.models.back_side import BackConfig, back_side
from zero123pp.pipelines.models.inflated import InflatedModel
from zero123pp.pipelines.models.loading import load_model
from zero123pp.pipelines.models.painting import TILE_PX
from zero123pp.rigs import get_rig
from zero123pp.types import Cutout, MultiView


@pytest.fixture(scope="module")
def multiview() -> MultiView:
    return InflatedModel().generate(figure())


def test_six_views_of_the_rig_and_the_picture(multiview: MultiView) -> None:
    assert (multiview.source, multiview.rig, len(multiview)) == ("inflated", "v1.2", 7)
    for view, camera in zip(multiview.views, get_rig("v1.2").cameras(TILE_PX)):
        assert np.array_equal(view.camera.world_from_cam, camera.world_from_cam)
        assert (view.camera.fx, view.camera.cx, view.camera.width) == (camera.fx, camera.cx, TILE_PX)
        assert view.depth is not None and view.normal is not None
    picture, rgba = multiview.views[6], figure().rgba
    given = rgba[..., 3] / 255
    assert np.abs(picture.alpha - given).mean() < 0.003  # over 600 outline pixels of 65536: a fraction of a pixel
    opaque = rgba[..., 3] == 255
    assert np.array_equal(to_uint8(picture.rgb)[opaque], rgba[opaque, :3])
    assert all(view.confidence < picture.confidence for view in multiview.views[:6])
    position = picture.camera.world_from_cam[:3, 3]
    assert np.allclose(position, [0, 0, get_rig("v1.2").distance])


@pytest.mark.parametrize(
    "cutout", [figure(), figure(120, (0.15, -0.1), 0.5), Cutout(np.full((40, 40, 4), 255, np.uint8))]
)
def test_object_lies_in_the_sphere_and_in_every_frame(cutout: Cutout) -> None:
    views = InflatedModel().generate(cutout).views
    for view in views[:6]:
        seen = view.depth > 0
        points = unproject(view.camera, pixel_centres(view.camera)[seen], view.depth[seen])
        assert np.linalg.norm(points, axis=-1).max() < OBJECT_RADIUS
        border = np.concatenate([view.alpha[0], view.alpha[-1], view.alpha[:, 0], view.alpha[:, -1]])
        assert border.max() == 0
    widest = max(np.ptp(np.nonzero((view.depth > 0).any(axis))[0]) for view in views[:6] for axis in (0, 1))
    assert widest > 0.8 * TILE_PX


def test_guessed_shape_has_the_outline_of_the_picture(multiview: MultiView) -> None:
    picture = multiview.views[6]
    mask, guess = picture.alpha > 0.5, picture.depth > 0
    assert (mask & guess).sum() / (mask | guess).sum() > 0.995


def test_views_show_one_solid(multiview: MultiView) -> None:
    """What one view sees lies inside the silhouette of every other, and never before what that other sees."""
    for view in multiview.views:
        seen = view.depth > 0
        points = unproject(view.camera, pixel_centres(view.camera)[seen], view.depth[seen])
        for other in multiview.views:
            px, depth = project(other.camera, points)
            column, row = np.floor(px).astype(int).T
            near = ndimage.maximum_filter(other.alpha, 3)[row, column] > 0  # a point lies anywhere in its pixel
            assert near.mean() > 0.999
            nearest = ndimage.minimum_filter(np.where(other.depth > 0, other.depth, np.inf), 3)[row, column]
            assert (depth > nearest - 0.01)[np.isfinite(nearest)].mean() > 0.999


def test_normals_are_unit_face_the_viewer_and_belong_to_the_depth(multiview: MultiView) -> None:
    for view in multiview.views:
        seen = view.depth > 0
        assert np.allclose(np.linalg.norm(view.normal[seen], axis=-1), 1, atol=1e-4)
        assert np.array_equal(view.normal[~seen], np.zeros_like(view.normal[~seen]))
    view = multiview.views[6]
    points = unproject(view.camera, pixel_centres(view.camera), view.depth)
    across, down = np.gradient(points, axis=1)[1:-1, 1:-1], np.gradient(points, axis=0)[1:-1, 1:-1]
    from_depth = np.cross(down, across)  # the front camera's x and y are the world's x and -y
    from_depth /= np.maximum(np.linalg.norm(from_depth, axis=-1, keepdims=True), 1e-12)
    deep = view.normal[1:-1, 1:-1, 2] > 0.5
    agreement = (from_depth * view.normal[1:-1, 1:-1]).sum(-1)[deep]
    assert np.median(agreement) > 0.99


def test_no_flat_card(multiview: MultiView) -> None:
    front, side = multiview.views[6], multiview.views[1]
    mask = front.depth > 0
    assert np.ptp(front.depth[mask]) > 0.1
    width = (side.alpha > 0.5).sum(1).max() / TILE_PX
    assert width > 0.2  # of the frame: the head is 0.4 wide


def test_hidden_colours_never_show(multiview: MultiView) -> None:
    for view in multiview.views:
        shown = to_uint8(view.rgb[view.alpha > 0]).astype(int)
        # Magenta has far more red and blue than green; no colour of the figure does.
        assert (np.minimum(shown[:, 0], shown[:, 2]) - shown[:, 1]).max() < 40


def test_face_shows_in_front_and_not_behind(multiview: MultiView) -> None:
    def share_of_skin(index: int) -> float:
        view = multiview.views[index]
        return float((np.abs(view.rgb - SKIN).max(-1)[view.alpha > 0.5] < 0.12).mean())

    for front, back in ((0, 2), (5, 3)):
        assert share_of_skin(front) > 0.1
        assert share_of_skin(back) < 0.1 * share_of_skin(front)


def test_half_transparent_patches_become_opaque_and_keep_their_colour() -> None:
    rgba = figure().rgba.copy()
    rgba[170:190, 115:135] = (250, 200, 20, 160)
    picture = InflatedModel().generate(Cutout(rgba)).views[6]
    assert (picture.alpha[172:188, 117:133] == 1).all()
    assert np.abs(picture.rgb[174:186, 119:131] - np.divide((250, 200, 20), 255)).max() < 0.01


def test_same_bytes_twice_whatever_the_seed(multiview: MultiView) -> None:
    again = InflatedModel().generate(figure(), seed=7, steps=3, guidance=2.0)
    for first, second in zip(multiview.views, again.views):
        for name in ("rgb", "alpha", "depth", "normal"):
            assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_progress_rises_to_one() -> None:
    told = []
    InflatedModel().generate(figure(64), progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and 0 <= told[0] < 1 and len(told) > 3


@pytest.mark.parametrize("size", [1, 64])
def test_empty_cutout_is_refused(size: int) -> None:
    with pytest.raises(BadInput, match="empty"):
        InflatedModel().generate(Cutout(np.zeros((size, size, 4), np.uint8)))


def test_single_pixel_and_hair_thin_cutouts_work() -> None:
    dot = np.zeros((16, 16, 4), np.uint8)
    dot[8, 8] = 255
    line = np.zeros((200, 200, 4), np.uint8)
    line[20:180, 99:101] = (0, 128, 0, 255)
    for rgba in (dot, line):
        views = InflatedModel().generate(Cutout(rgba)).views
        assert all((view.alpha > 0.5).any() for view in views)


def test_registry_makes_models_by_name() -> None:
    model = load_model("inflated", device="cpu")
    assert (model.name, model.rig, model.licence) == ("inflated", "v1.2", "Apache-2.0")
    assert "guessed" in model.note
    assert set(MODELS) >= {"preview", "zero123plus-v1.1", "zero123plus-v1.2"}


def test_it_needs_no_heavy_library() -> None:
    program = (
        "import sys; from zero123pp.pipelines.models import model_class; assert 'numpy' not in sys.modules;"
        "model_class('inflated')(); assert 'numpy' in sys.modules;"
        "print(*{'torch', 'diffusers', 'transformers', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_back_keeps_the_rim_carries_colours_on_and_keeps_agreeing_patches() -> None:
    size = 128
    y, x = np.mgrid[:size, :size] + 0.5
    alpha = (np.hypot(x - 64, y - 64) < 50).astype(np.float32)
    rgb = np.where((y < 64)[..., None], (0.7, 0.2, 0.2), (0.2, 0.6, 0.2)).astype(np.float32)
    spot = np.hypot(x - 64, y - 40) < 8
    rgb[spot] = (1.0, 1.0, 1.0)
    back = back_side(rgb, alpha, BackConfig(shade=1.0))
    rim = (alpha > 0) & (np.hypot(x - 64, y - 64) > 49)
    assert np.abs(back - rgb)[rim].max() < 0.02
    assert np.abs(back - (0.7, 0.2, 0.2))[spot].max() < 0.05
    assert np.abs(back[85, 64] - (0.2, 0.6, 0.2)).max() < 0.02
    assert np.abs(back - over(rgb, alpha, 0.0))[(alpha > 0) & ~spot].mean() < 0.03


def test_back_carries_on_within_the_range_of_the_rim() -> None:
    """The maximum principle of Laplace's equation: a white inside leaves no trace behind a gray rim."""
    size = 96
    y, x = np.mgrid[:size, :size] + 0.5
    radius = np.hypot(x - 48, y - 48)
    alpha = (radius < 44).astype(np.float32)
    rgb = (
        np.where((radius < 30)[..., None], 1.0, np.where((x < 48)[..., None], 0.2, 0.4))
        .astype(np.float32)
        .repeat(3, -1)
    )
    back = back_side(rgb[..., :3], alpha, BackConfig(shade=1.0, detail=1e-3))
    inner = back[radius < 30]
    assert 0.19 < inner.min() and inner.max() < 0.42
