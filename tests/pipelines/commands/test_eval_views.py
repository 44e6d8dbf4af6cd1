"""``run.py eval views``: what perfect, wrong and empty answers score, the files, feature distances."""

import csv
import json

import numpy as np
import pytest
from paths import ROOT
from render_files import write_lights, write_meshes

from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet, to_uint8, untile_sheet
from zero123pp.pipelines import models as sources
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.evaluation.features import Weights, feature_distances, read_weights
from zero123pp.pipelines.evaluation.features.efflite0 import EffLite0
from zero123pp.pipelines.evaluation.features.lpips import Lpips
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.sheets import (
    GRAY,
    Sheet,
    blank,
    differences,
    drawn_by,
    mean_sheet,
    repeated,
    resized,
    true_sheets,
)
from zero123pp.recon.meshing.parts import load_normalised
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView, View

TILE = 48


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return write_meshes(tmp_path_factory.mktemp("meshes"), 3)


@pytest.fixture(scope="module")
def truth(meshes):
    parts = load_normalised(meshes / "tower_0.glb")
    return true_sheets("tower_0", parts, 0, ["v1.2", "v1.1"], TILE, seed=0, lighting=None)


class Oracle(sources.MultiViewModel):
    """A model that knows the answers, whatever the picture: by the order in which it is asked."""

    name, licence, rig = "oracle", "none", "v1.2"

    def __init__(self, answers):
        self.answers = iter(answers)

    def generate(self, cutout, *, seed=0, steps=None, guidance=None, progress=None):
        sheet = next(self.answers)
        alpha = sheet.alpha[..., None]
        straight = (sheet.rgb - GRAY * (1 - alpha)) / np.maximum(alpha, 1e-6) + 1e-4  # nearly: not infinitely good
        tiles = untile_sheet(np.dstack([straight, alpha]))
        cameras = get_rig(self.rig).cameras(tiles.shape[1])
        return MultiView(tuple(View(t[..., :3], t[..., 3], c) for t, c in zip(tiles, cameras)), source=self.name)


def test_true_sheets_are_those_of_the_turned_object(truth):
    views = ground_truth_views(truth.parts, "v1.2", tile_px=TILE)
    rgba = tile_sheet(np.stack([np.dstack([view.rgb, view.alpha]) for view in views.views]))
    np.testing.assert_allclose(truth.sheets["v1.2"].rgb, Sheet.of(rgba).rgb, atol=1e-6)
    assert set(truth.sheets) == {"v1.2", "v1.1"}
    assert truth.cutout.rgba.shape[2] == 4 and (truth.cutout.rgba[..., 3] > 127).mean() > 0.05


def test_perfect_and_empty_answers(truth):
    true = truth.sheets["v1.2"]
    perfect = differences(true, true)
    assert perfect["PSNR"] == np.inf and perfect["SSIM"] == pytest.approx(1) and perfect["alpha_IoU"] == 1
    nothing = differences(blank(TILE), true)
    assert nothing["alpha_IoU"] == 0 and nothing["PSNR"] < 25
    shifted = Sheet(np.roll(true.rgb, 3, 1), np.roll(true.alpha, 3, 1))
    assert nothing["SSIM"] < 1 and differences(shifted, true)["alpha_IoU"] < 0.95


def test_psnr_is_of_the_whole_sheet(truth):
    true = truth.sheets["v1.2"]
    off = Sheet(true.rgb + np.float32(0.1), true.alpha)
    assert differences(off, true)["PSNR"] == pytest.approx(20, abs=1e-3)


def test_the_background_is_the_gray_of_the_sheets():
    assert (blank(8).rgb == np.float32(127 / 255)).all() and pytest.approx(127 / 255) == GRAY


def test_repeating_puts_the_input_into_each_tile(truth):
    tiles = untile_sheet(repeated(truth, TILE).rgb)
    assert tiles.shape == (6, TILE, TILE, 3)
    for tile in tiles[1:]:
        np.testing.assert_array_equal(tile, tiles[0])
    alpha = untile_sheet(repeated(truth, TILE).alpha)[0]
    assert alpha.mean() == pytest.approx((truth.cutout.rgba[..., 3] / 255).mean(), abs=0.01)


def test_resizing_keeps_tiles_apart():
    rgba = np.zeros((6, 40, 40, 4), np.float32)
    rgba[0] = 1
    small = resized(Sheet.of(tile_sheet(rgba)), 10)
    np.testing.assert_allclose(untile_sheet(small.alpha)[0], 1, atol=1e-6)
    np.testing.assert_allclose(untile_sheet(small.alpha)[1:], 0, atol=1e-6)
    large = resized(Sheet.of(tile_sheet(rgba)), 64)
    np.testing.assert_allclose(untile_sheet(large.rgb)[1:], GRAY, atol=1e-6)


def test_a_whole_run(meshes, truth, tmp_path, monkeypatch, capsys):
    answers = []
    for number in range(3):
        parts = load_normalised(meshes / f"tower_{number}.glb")
        answers.append(true_sheets(f"tower_{number}", parts, 0, ["v1.2"], TILE, seed=0, lighting=None).sheets["v1.2"])
    monkeypatch.setitem(
        sources.MODELS, "oracle", type("Known", (Oracle,), {"load": lambda name, options: Oracle(answers)})
    )
    command = [
        "eval",
        "views",
        "--meshes",
        str(meshes),
        "--model",
        "oracle",
        "--model",
        "inflated",
        "--tile",
        str(TILE),
    ]
    assert main([*command, "--out", str(tmp_path), "--name", "t"]) == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    means = {row["method"]: row for row in rows if row["object"] == "MEAN"}
    assert set(means) == {"oracle", "inflated", "repeat", "gray", "oracle, wrong input", "inflated, wrong input"}
    assert float(means["oracle"]["PSNR"]) > 60 and float(means["oracle"]["alpha_IoU"]) == 1
    assert float(means["oracle, wrong input"]["alpha_IoU"]) < 0.9
    assert float(means["inflated"]["alpha_IoU"]) > float(means["inflated, wrong input"]["alpha_IoU"])
    for method in means:
        objects = {row["object"] for row in rows if row["method"] == method}
        assert objects == {"tower_0", "tower_1", "tower_2", "MEAN"}
    page = (tmp_path / "t.md").read_text()
    assert "--model oracle --model inflated --tile 48" in page and "oracle, wrong input" in page
    assert (tmp_path / "t.png").stat().st_size > 1000
    assert "LPIPS" not in page.replace("neither LPIPS's weights", "").replace("not LPIPS", "")
    assert "oracle" in capsys.readouterr().out


@pytest.mark.slow
def test_a_checkpoint_and_its_depth_control(meshes, tmp_path, capsys):
    pytest.importorskip("diffusers")
    models = ROOT / "tests" / "golden" / "models"
    command = ["eval", "views", "--meshes", str(meshes / "tower_0.glb"), "--model", str(models / "tiny-zero123plus")]
    command += ["--tile", "32", "--steps", "2", "--out", str(tmp_path)]
    control = ["--controlnet", str(models / "tiny-controlnet-depth")]
    assert main([*command, "--depth-control", "1.0", *control]) == 0
    page = (tmp_path / "views.md").read_text()
    assert "| models/tiny-zero123plus |" in page and "| models/tiny-zero123plus + depth |" in page
    assert str(models) not in page
    assert main([*command, *control]) == 2
    assert "--depth-control" in capsys.readouterr().err


def test_sheets_on_white_are_put_on_gray(truth):
    true = truth.sheets["v1.2"]

    class OnWhite(Oracle):
        name = "white"

        def generate_sheet(self, cutout, **options):
            return to_uint8(true.rgb + (1 - GRAY) * (1 - true.alpha[..., None]))

    found = drawn_by(OnWhite([]), truth, TILE, seed=0, steps=None, guidance=None)
    assert np.abs(found.rgb[true.alpha == 0] - GRAY).mean() < 0.01
    assert differences(found, true)["PSNR"] > 22 and differences(found, true)["alpha_IoU"] > 0.85


def test_light_and_failures(meshes, tmp_path):
    pytest.importorskip("embreex")
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "broken.glb").write_text("no")
    (folder / "good.glb").write_bytes((meshes / "tower_1.glb").read_bytes())
    lights = write_lights(tmp_path / "hdri")
    command = ["eval", "views", "--meshes", str(folder), "--model", "inflated", "--tile", "32", "--hdri", str(lights)]
    assert main([*command, "--queries", "2", "--out", str(tmp_path / "out")]) == 1
    page = (tmp_path / "out" / "views.md").read_text()
    assert "broken:" in page and "good.1" in page and "environment maps of hdri" in page


def test_lit_truth_is_lit(meshes):
    pytest.importorskip("embreex")
    from zero123pp.pipelines.evaluation.sheets import Lighting

    parts = load_normalised(meshes / "tower_2.glb")
    sky = np.full((16, 32, 3), 0.01)
    sky[2, 4] = 500
    lit = true_sheets("t", parts, 0, ["v1.2"], TILE, seed=1, lighting=Lighting({"sky": sky})).sheets["v1.2"]
    unlit = true_sheets("t", parts, 0, ["v1.2"], TILE, seed=1, lighting=None).sheets["v1.2"]
    np.testing.assert_allclose(lit.alpha, unlit.alpha, atol=1 / 255)
    assert np.abs(lit.rgb - unlit.rgb)[unlit.alpha == 1].mean() > 0.05


def test_mean_of_training_samples(meshes, tmp_path):
    pytest.importorskip("embreex")
    lights = write_lights(tmp_path / "hdri")
    render = ["render", "views", "--meshes", str(meshes), "--hdri", str(lights), "--out", str(tmp_path / "samples")]
    assert main([*render, "--tile-px", "32", "--query-px", "16", "--set", "light_samples=2"]) == 0
    from zero123pp.render.shards import read_samples

    mean, rig = mean_sheet(tmp_path / "samples", 32)
    samples = list(read_samples(tmp_path / "samples"))
    expected = np.mean([sample.sheet[..., 3] / 255 for sample in samples], 0)
    assert rig == "v1.2" and len(samples) == 72
    np.testing.assert_allclose(mean.alpha, expected, atol=1e-5)
    assert main(["eval", "views", "--meshes", str(meshes / "tower_0.glb"), "--model", "inflated", "--tile", "32",
                 "--mean-of", str(tmp_path / "samples"), "--out", str(tmp_path / "out")]) == 0  # fmt: skip
    assert "| mean |" in (tmp_path / "out" / "views.md").read_text()


def test_depth_control_needs_a_model_that_can(truth):
    with pytest.raises(BadInput, match="depth"):
        drawn_by(Oracle([truth.sheets["v1.2"]]), truth, TILE, seed=0, steps=None, guidance=None, depth_scale=0.75)


@pytest.mark.parametrize("more", [["--tile", "8"], ["--queries", "0"], ["--meshes", "nowhere"], ["--model", "no-such"],
                                  ["--mean-of", "nowhere"], ["--hdri", "nowhere"], ["--lpips-weights", "nowhere"],
                                  ["--efflite0-weights", "nowhere"]])  # fmt: skip
def test_bad_usage(meshes, tmp_path, more, capsys):
    pytest.importorskip("torch")
    command = ["eval", "views", "--meshes", str(meshes), "--out", str(tmp_path)]
    assert main([*command, *([] if "--model" in more else ["--model", "inflated"]), *more]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator) * (2 / max(1, int(np.prod(shape[1:])))) ** 0.5
        for name, shape in shapes.items()
    }


ALEX = {
    "features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5), "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3), "features.10": (256, 256, 3, 3),
}  # fmt: skip


def alexnet(seed: int = 0) -> dict:
    shapes = {f"{name}.weight": shape for name, shape in ALEX.items()}
    return random_weights(shapes | {f"{name}.bias": shape[:1] for name, shape in ALEX.items()}, seed)


def heads(channels=(64, 192, 384, 256, 256)) -> dict:
    torch = pytest.importorskip("torch")
    return {f"lin{n}.model.1.weight": torch.rand((1, c, 1, 1)) for n, c in enumerate(channels)}


def picture(seed: int = 0, size=(96, 64)) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3))


def test_lpips_by_hand():
    """Equation 1, written once more in numpy over the same features."""
    distance = Lpips(alexnet() | heads())
    a, b = picture(0), picture(1)
    assert distance.name == "LPIPS_alex" and [f.shape[1] for f in distance.features(a)] == [64, 192, 384, 256, 256]
    assert [tuple(f.shape[2:]) for f in distance.features(a)] == [(23, 15), (11, 7), (5, 3), (5, 3), (5, 3)]
    total = 0.0
    weights = alexnet() | heads()
    pytest.importorskip("torch").manual_seed(0)
    for number, (x, y) in enumerate(zip(distance.features(a), distance.features(b))):
        x, y = (f[0].numpy().astype(float) for f in (x, y))
        x, y = (f / (np.sqrt((f**2).sum(0)) + 1e-10) for f in (x, y))
        head = distance._heads[number].numpy().reshape(-1, 1, 1)
        total += (head * (x - y) ** 2).sum(0).mean()
    assert distance(a, b) == pytest.approx(total, rel=1e-5) and distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-6)
    assert weights.keys() == {*alexnet(), *heads()}


def test_lpips_normalises_its_input_as_published():
    torch = pytest.importorskip("torch")
    tensors = alexnet()
    for name, tensor in tensors.items():
        tensors[name] = torch.zeros_like(tensor)
    tensors["features.0.weight"][0, 1, 5, 5] = 1  # passes the green of the centre pixel
    green = Lpips(tensors | heads()).features(np.full((64, 64, 3), 0.75))[0][0, 0, 5, 5].item()
    assert green == pytest.approx((2 * 0.75 - 1 + 0.088) / 0.448, rel=1e-5)


def test_lpips_takes_its_own_names_and_refuses_what_is_missing(tmp_path):
    torch = pytest.importorskip("torch")
    own = {f"net.slice{n + 1}.{name.removeprefix('features.')}": t for n, (name, t) in enumerate(alexnet().items())}
    torch.manual_seed(0)
    lin = heads()
    assert Lpips(own | lin)(picture(0), picture(1)) == Lpips(alexnet() | lin)(picture(0), picture(1))
    with pytest.raises(BadInput, match="lin0"):
        Lpips(alexnet())
    with pytest.raises(BadInput, match=r"features\.0"):
        Lpips(heads())
    with pytest.raises(BadInput, match="another network"):
        Lpips({**alexnet(), "features.3.weight": torch.zeros(5, 5, 5, 5)} | lin)
    torch.save(alexnet(), tmp_path / "alex.pth")
    torch.save(lin, tmp_path / "lin.pth")
    (found,) = [d for d in feature_distances(Weights((str(tmp_path / "alex.pth"), str(tmp_path / "lin.pth"))))
                if d.name.startswith("LPIPS")]  # fmt: skip
    assert found.name == "LPIPS_alex" and found(picture(0), picture(1)) > 0


def test_vgg_is_told_from_alexnet():
    blocks = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
    blocks |= {17: (512, 256), **{n: (512, 512) for n in (19, 21, 24, 26, 28)}}
    shapes = {f"features.{n}.weight": (*io, 3, 3) for n, io in blocks.items()}
    shapes |= {f"features.{n}.bias": io[:1] for n, io in blocks.items()}
    distance = Lpips(random_weights(shapes) | heads((64, 128, 256, 512, 512)))
    assert distance.name == "LPIPS_vgg"
    assert [tuple(f.shape[1:]) for f in distance.features(picture(0, (64, 64)))] == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4),
    ]  # fmt: skip


def efflite_weights() -> dict:
    torch = pytest.importorskip("torch")
    from zero123pp.pipelines.evaluation.features.efflite0 import _BLOCKS

    shapes, before = {"_conv_stem": (32, 3, 3, 3)}, 32
    norms = {"_bn0": 32}
    for n, (kernel, _, expansion, channels) in enumerate(_BLOCKS):
        wide = before * expansion
        if expansion > 1:
            shapes[f"_blocks.{n}._expand_conv"], norms[f"_blocks.{n}._bn0"] = (wide, before, 1, 1), wide
        shapes[f"_blocks.{n}._depthwise_conv"], norms[f"_blocks.{n}._bn1"] = (wide, 1, kernel, kernel), wide
        shapes[f"_blocks.{n}._project_conv"], norms[f"_blocks.{n}._bn2"] = (channels, wide, 1, 1), channels
        before = channels
    tensors = random_weights({f"{name}.weight": shape for name, shape in shapes.items()})
    for name, count in norms.items():
        tensors |= {f"{name}.{part}": torch.rand(count) + 0.5 for part in ("weight", "running_var")}
        tensors |= {f"{name}.{part}": 0.1 * torch.randn(count) for part in ("bias", "running_mean")}
    return tensors


def test_efflite0():
    distance = EffLite0(efflite_weights())
    a, b = picture(0), picture(1)
    assert [tuple(f.shape[1:]) for f in distance.features(a)] == [
        (16, 48, 32), (24, 24, 16), (40, 12, 8), (112, 6, 4), (320, 3, 2),
    ]  # fmt: skip
    assert distance(a, a) == 0 and 0 < distance(a, b) < 2
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-6)
    with pytest.raises(BadInput):
        distance(a, picture(1, (64, 64)))
    with pytest.raises(BadInput, match="another network"):
        EffLite0(alexnet())


def test_efflite0_stem_is_the_published_one():
    """Normalisation, SAME padding, batch norm with eps 1e-3 and ReLU6, by hand on one output pixel."""
    weights = efflite_weights()
    distance = EffLite0(weights)
    x = picture(3, (32, 32))
    scaled = np.pad((x * 255 - 127) / 128, ((0, 1), (0, 1), (0, 0)))  # even sides: all padding at right and bottom
    patch = scaled[10:13, 30:33].transpose(2, 0, 1)  # output row 5, the last column: over the padding
    kernel = weights["_conv_stem.weight"].numpy()
    value = (kernel * patch).sum((1, 2, 3))
    gain, shift, mean, var = (weights[f"_bn0.{p}"].numpy() for p in ("weight", "bias", "running_mean", "running_var"))
    expected = np.clip((value - mean) / np.sqrt(var + 1e-3) * gain + shift, 0, 6)
    from zero123pp.pipelines.evaluation.features import as_batch
    from zero123pp.pipelines.evaluation.features.efflite0 import _convolved

    found = _convolved((as_batch(x) * 255 - 127) / 128, distance._stem, 2).clamp(0, 6)[0, :, 5, 15].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_hostile_weights(tmp_path):
    pytest.importorskip("torch")
    import pickle

    class Evil:
        def __reduce__(self):
            return print, ("executed",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"features.0.weight": Evil()}))
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text(json.dumps({}))
    for file in ("evil.pth", "text.pth", "text.safetensors", "missing.pth"):
        with pytest.raises(BadInput):
            read_weights(tmp_path / file)
