"""The learned source: from what a network of the shape prior guesses behind one cutout to posed views.

The network is a fresh one, which sees the cone of the outline.
"""

import numpy as np
import pytest
from figure import MAGENTA, figure
from prior_files import exported

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from zero123pp.cameras import OBJECT_RADIUS, pixel_centres, unproject  # noqa: E402
from zero123pp.configs import load  # noqa: E402
from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.images import to_uint8  # noqa: E402
from zero123pp.pipelines.image_to_mesh import ImageTo3D, PipelineConfig  # noqa: E402
from zero123pp.pipelines.models.inflated import InflatedModel  # noqa: E402
from zero123pp.pipelines.models.preview import PreviewConfig, PreviewModel  # noqa: E402
from zero123pp.rigs import get_rig  # noqa: E402
from zero123pp.types import Cutout, MultiView  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def prior(tmp_path_factory):
    from zero123pp.recon import prior
    from zero123pp.recon.prior.network import ShapePrior

    torch.manual_seed(0)
    made = exported(ShapePrior().state_dict(), tmp_path_factory.mktemp("prior"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior, "bundled_prior", lambda: made)
        yield made


@pytest.fixture(scope="module")
def multiview(prior) -> MultiView:
    return PreviewModel().generate(figure())


def test_six_views_of_the_rig_and_the_picture(multiview: MultiView) -> None:
    assert (multiview.source, multiview.rig, len(multiview)) == ("preview", "v1.2", 7)
    for view, camera in zip(multiview.views, get_rig("v1.2").cameras(320)):
        assert np.array_equal(view.camera.world_from_cam, camera.world_from_cam)
        assert view.depth is not None and view.normal is not None
    picture, rgba = multiview.views[6], figure().rgba
    opaque = rgba[..., 3] == 255
    assert np.array_equal(to_uint8(picture.rgb)[opaque], rgba[opaque, :3])
    assert all(view.confidence < picture.confidence for view in multiview.views[:6])
    x, _, z = picture.camera.world_from_cam[:3, 3]
    assert abs(x) < 0.1 and z > 1  # azimuth 0


def test_the_outline_is_that_of_the_picture(multiview: MultiView) -> None:
    picture, given = multiview.views[6], figure().rgba[..., 3] > 127
    guess = picture.depth > 0
    assert (given & guess).sum() / (given | guess).sum() > 0.96


@pytest.mark.parametrize("cutout", [figure(), Cutout(np.full((40, 40, 4), 255, np.uint8))])
def test_the_object_lies_in_the_sphere_and_in_every_frame(cutout: Cutout) -> None:
    for view in PreviewModel().generate(cutout).views[:6]:
        seen = view.depth > 0
        points = unproject(view.camera, pixel_centres(view.camera)[seen], view.depth[seen])
        assert np.linalg.norm(points, axis=-1).max() < OBJECT_RADIUS
        border = np.concatenate([view.alpha[0], view.alpha[-1], view.alpha[:, 0], view.alpha[:, -1]])
        assert border.max() == 0


def test_hidden_colours_never_show(multiview: MultiView) -> None:
    assert min(MAGENTA[0], MAGENTA[2]) > 2 * MAGENTA[1]
    for view in multiview.views:
        shown = to_uint8(view.rgb[view.alpha > 0]).astype(int)
        assert (np.minimum(shown[:, 0], shown[:, 2]) - shown[:, 1]).max() < 60


def test_same_bytes_twice_whatever_the_seed(multiview: MultiView) -> None:
    again = PreviewModel().generate(figure(), seed=7, steps=3, guidance=2.0)
    for first, second in zip(multiview.views, again.views):
        for name in ("rgb", "alpha", "depth", "normal"):
            assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_an_asset_says_when_the_outline_was_inflated_instead(multiview: MultiView) -> None:
    small = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64")
    model = PreviewModel(PreviewConfig(least_overlap=1.1))
    pipe = ImageTo3D(model, load(PipelineConfig, "fast", (*model.overrides, *small)))
    drawn = model.generate(figure())
    assert np.array_equal(drawn.views[0].rgb, InflatedModel().generate(figure()).views[0].rgb)
    inflated, learned = pipe.from_views(drawn), pipe.from_views(multiview)
    assert "from its outline alone" in inflated.extras["note"] and inflated.report["note"] == inflated.extras["note"]
    assert learned.extras["note"] == model.note and "by a small network" in model.note


@pytest.mark.parametrize("size", [1, 64])
def test_an_empty_cutout_is_refused(size: int) -> None:
    with pytest.raises(BadInput, match="empty"):
        PreviewModel().generate(Cutout(np.zeros((size, size, 4), np.uint8)))


def test_dots_and_hairs_work() -> None:
    dot = np.zeros((16, 16, 4), np.uint8)
    dot[8, 8] = 255
    line = np.zeros((200, 200, 4), np.uint8)
    line[20:180, 99:101] = (0, 128, 0, 255)
    for rgba in (dot, line):
        assert all((view.alpha > 0).any() for view in PreviewModel().generate(Cutout(rgba)).views)
