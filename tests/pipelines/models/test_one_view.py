"""The source that brings its own surface: what it hands over, what becomes of it, and the knobs that repair it."""

import numpy as np
import pytest
from PIL import Image
from seen_by_network import Answers, ball, disc

from zero123pp.configs import load
from zero123pp.errors import BadInput, ConfigError
from zero123pp.images import to_uint8, untile_sheet
from zero123pp.pipelines.image_to_mesh import ImageTo3D, PipelineConfig
from zero123pp.pipelines.models.one_view import OneViewConfig, OneViewModel
from zero123pp.recon.meshing import is_watertight
from zero123pp.types import Cutout

SMALL = ("preview.solid.rays=64", "clean.faces=1500", "texture.size=256", "cutout.size_px=128")


@pytest.fixture(scope="module")
def model() -> OneViewModel:
    return OneViewModel(lambda: Answers(ball))


def _pipe(model: OneViewModel, *values: str) -> ImageTo3D:
    return ImageTo3D(model, load(PipelineConfig, "fast", (*SMALL, *values)))


@pytest.fixture(scope="module")
def asset(model):
    return _pipe(model)(to_uint8(disc()))


def test_the_picture_is_the_only_view_and_the_surface_comes_along(model):
    drawn = model.generate(Cutout(to_uint8(disc())))
    assert (drawn.source, len(drawn), drawn.input_view, drawn.rig) == ("preview", 1, 0, None)
    assert is_watertight(drawn.surface.faces) and drawn.surface.colors is not None
    assert drawn.views[0].behind.shape == drawn.views[0].rgb.shape
    again = model.generate(Cutout(to_uint8(disc())), seed=3, steps=2)
    assert again == drawn


def test_nothing_is_fitted_and_the_front_is_the_picture(asset):
    assert "fit" not in asset.report["seconds"] and "came with their surface" in asset.report["mesh"]["field"]
    assert asset.report["mesh"]["watertight"] and asset.report["mesh"]["manifold"]
    assert asset.report["picture"]["silhouette_iou"] > 0.97
    assert asset.report["picture"]["foreground_psnr_db"] > 30


def test_the_back_has_the_colours_that_the_network_guesses(asset):
    from zero123pp.cameras import orbit_camera
    from zero123pp.recon.render import render

    view = render(asset.textured, orbit_camera(180, 0, 2, 30, 64))
    middle = view.rgb[24:40, 24:40].mean((0, 1))
    assert middle == pytest.approx([0.2, 0.5, 0.3], abs=0.08)


def test_stages_have_six_views_of_the_result(asset, tmp_path):
    asset.save_stages(tmp_path / "stages")
    sheet = np.asarray(Image.open(tmp_path / "stages" / "views.png"))
    assert sheet.shape == (960, 640, 3)
    assert all(np.ptp(tile.reshape(-1, 3), axis=0).max() > 50 for tile in untile_sheet(sheet))
    assert {"alpha.png", "depth.png", "normals.png", "fit.ply"} <= {
        path.name for path in (tmp_path / "stages").iterdir()
    }


def test_a_sheet_can_be_drawn_of_it(model):
    sheet = model.generate_sheet(Cutout(to_uint8(disc())))
    assert sheet.shape == (960, 640, 4) and sheet[..., 3].max() == 1


@pytest.mark.parametrize("size", [1, 64])
def test_an_empty_cutout_is_refused(model, size):
    with pytest.raises(BadInput, match="empty"):
        model.generate(Cutout(np.zeros((size, size, 4), np.uint8)))


def test_dots_and_full_pictures_work(model):
    dot = np.zeros((16, 16, 4), np.uint8)
    dot[8, 8] = 255
    for rgba in (dot, np.full((40, 40, 4), 200, np.uint8) | 255):
        assert len(model.generate(Cutout(rgba)).views) >= 1


def test_what_the_network_cannot_see_is_inflated():
    blind = OneViewModel(lambda: Answers(lambda u, v: (0 * u + np.nan,) * 4))
    drawn = blind.generate(Cutout(to_uint8(disc())))
    assert drawn.surface is None and len(drawn) == 7 and "from its outline alone" in drawn.note
    assert drawn.source == "preview"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("preview.depth=0", "preview.depth is 0.0; expected a factor from 0.1 to 4"),
        ("preview.depth=thick", "preview.depth is 'thick'"),
        ("preview.elevation=91", "preview.elevation is 91.0; expected degrees from -90 to 90"),
        ("preview.up=nan", "preview.up is nan; expected degrees"),
        ("preview.symmetry=round", "choose one of auto, off, mirror, lathe"),
        ("preview.back=nowhere.png", "no such file"),
        ("preview.solid.rays=7", "preview.solid.rays is 7; expected 32 to 512"),
    ],
)
def test_wrong_knobs_are_told_in_one_line(value, message):
    with pytest.raises(ConfigError) as caught:
        load(PipelineConfig, "fast", (value.replace("nan", ".nan"),))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_off_is_off_though_yaml_reads_it_as_false():
    assert load(PipelineConfig, "fast", ("preview.symmetry=off",)).preview.symmetry == "off"


def test_knobs_reach_the_solid(model, asset):
    thin = _pipe(model, "preview.depth=0.5", "preview.elevation=0", "preview.symmetry=off")(to_uint8(disc()))
    size = np.ptp(thin.mesh.vertices, axis=0)
    assert size[2] / size[0] < 0.6 < 0.85 < np.ptp(asset.mesh.vertices, axis=0)[2] / size[0]


def test_a_picture_of_the_back_paints_the_back(model, tmp_path):
    red = disc()
    red[..., :3] = [0.9, 0.1, 0.1]
    Image.fromarray(to_uint8(red)).save(tmp_path / "back.png")
    drawn = model.generate(Cutout(to_uint8(disc())), preview=OneViewConfig(back=str(tmp_path / "back.png")))
    assert drawn.views[0].behind[64, 64] == pytest.approx([0.9, 0.1, 0.1], abs=0.02)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ConfigError, match=r"preview\.back: .*text\.png"):
        model.generate(Cutout(to_uint8(disc())), preview=OneViewConfig(back=str(tmp_path / "text.png")))
