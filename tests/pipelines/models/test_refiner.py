"""The second stage behind a diffusion model: trained refiners, checkpoints that know no sheets, and what goes wrong."""

import json
import shutil

import numpy as np
import pytest

for name in ("torch", "diffusers"):
    pytest.importorskip(name)

from tiny_text_model import tiny_text_model  # noqa: E402

from zero123pp.errors import BadInput, MissingBackend  # noqa: E402
from zero123pp.images import untile_sheet  # noqa: E402
from zero123pp.pipelines.models import load_model  # noqa: E402
from zero123pp.pipelines.models import refiner as second_stage  # noqa: E402
from zero123pp.types import Cutout  # noqa: E402


@pytest.fixture(scope="module")
def cutout(golden):
    from PIL import Image

    return Cutout(np.asarray(Image.open(golden / "inputs" / "cond_0.png").convert("RGBA"))[:160, :160])


@pytest.fixture(scope="module")
def small(tiny, tmp_path_factory):
    """The tiny checkpoint with tiles of 40 px."""
    folder = tmp_path_factory.mktemp("models") / "small"
    shutil.copytree(tiny, folder)
    index = json.loads((folder / "model_index.json").read_text()) | {"tile_size": 40, "rig": "v1.1"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A refiner of 64 px tiles, of random weights."""
    from zero123pp import Zero123PlusPipeline
    from zero123pp.diffusion import refiner_of

    folder = tmp_path_factory.mktemp("models") / "refiner"
    refiner_of(Zero123PlusPipeline.from_pretrained(tiny), tile_size=64).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return tiny_text_model(tmp_path_factory.mktemp("models") / "sd")


def sheet_of_a_disc(size=40):
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    tile = np.where((x**2 + y**2 < (size / 3) ** 2)[..., None], np.uint8([200, 60, 40]), np.uint8(127))
    return np.tile(tile, (3, 2, 1)).astype(np.uint8)


@pytest.fixture
def drawing(monkeypatch):
    """The first stage draws a disc in every view."""
    from zero123pp.pipelines.models.zero123plus import Zero123PlusModel

    monkeypatch.setattr(Zero123PlusModel, "_sheets", lambda self, cutouts, *_: [sheet_of_a_disc()] * len(cutouts))


def is_plain(sheet):
    tiles = untile_sheet(sheet)
    return all((tiles[:, [0, -1]] == 127).ravel()) and all((tiles[:, :, [0, -1]] == 127).ravel())


def test_a_trained_refiner_draws_larger_views_over_the_object_alone(small, trained, cutout, drawing):
    heard = []
    model = load_model(str(small), device="cpu", dtype="float32", refiner=str(trained), refiner_steps=2)
    one, two = model.generate_many([cutout] * 2, seeds=[1, 2], progress=heard.append)
    assert one.views[0].rgb.shape == (64, 64, 3) and one.sheet.shape == (192, 128, 3)
    assert is_plain(one.sheet) and one.sheet.std() > 1
    assert (one.sheet != two.sheet).any()
    assert heard == sorted(heard) and heard[-1] == 1
    (again,) = model.generate_many([cutout], seeds=[1])
    np.testing.assert_array_equal(again.sheet, one.sheet)


def test_any_image_to_image_checkpoint_serves(small, stranger, cutout, drawing, monkeypatch):
    monkeypatch.setattr(second_stage, "TILE_PX", 64)
    options = {"device": "cpu", "dtype": "float32", "refiner": str(stranger), "refiner_steps": 1}
    plain = load_model(str(small), **options, refiner_strength=0.5).generate(cutout, seed=1)
    assert plain.sheet.shape == (192, 128, 3) and is_plain(plain.sheet)
    whole = load_model(str(small), **options, refiner_mode="sheet").generate(cutout, seed=1)
    assert whole.sheet.shape == (192, 128, 3) and (whole.sheet != plain.sheet).any()


def test_views_of_512_px_are_fitted_and_painted_as_they_are():
    from zero123pp import ImageTo3D

    made = ImageTo3D.from_pretrained("preview", preset="fast", overrides=["texture.size=256", "fit.steps=20"])(
        views=sheet_of_a_disc(512), rig="v1.2"
    )
    assert made.views.views[0].rgb.shape == (512, 512, 3)
    extent = np.ptp(made.mesh.vertices, axis=0)
    assert extent.min() > 0.5 * extent.max()


def test_what_goes_wrong(small, tiny, tmp_path):
    with pytest.raises(BadInput, match="there is no refiner 'nowhere/there/it is'"):
        load_model(str(small), device="cpu", refiner="nowhere/there/it is").check_controls()
    with pytest.raises(MissingBackend, match="refiner 'nobody/nothing' is not in the local"):
        load_model(str(small), device="cpu", refiner="nobody/nothing").check_controls()
    with pytest.raises(BadInput, match="is no image-to-image checkpoint"):
        load_model(str(small), device="cpu", refiner=str(tmp_path)).check_controls()
    with pytest.raises(BadInput, match="refiner_strength belongs to refiner"):
        load_model(str(small), device="cpu", refiner_strength=0.5)
    with pytest.raises(BadInput, match="refiner_mode is 'both'"):
        load_model(str(small), device="cpu", refiner=str(tiny), refiner_mode="both")
    with pytest.raises(BadInput, match="takes no refiner"):
        load_model("preview", refiner=str(tiny))
