"""Cutting the object out: methods, the choice between them, recentring and colours at the edge."""

import importlib.util
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.images import over, to_uint8
from zero123pp.pipelines.cutout import CUTOUTS, CutoutConfig, choose, cut_out
from zero123pp.pipelines.cutout.bundled import main_parts, without_pinholes
from zero123pp.pipelines.cutout.foreground import estimate_foreground
from zero123pp.pipelines.cutout.recentre import limit_size, recentre, resize_rgba
from zero123pp.pipelines.cutout.refine import guided_upsample

RED, GREEN = np.array([0.9, 0.1, 0.1]), np.array([0.1, 0.8, 0.2])


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    """No rembg model in reach unless a test puts one there, and no agreement to download."""
    for name in ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "no-models"))
    monkeypatch.delenv("ZERO123PP_DOWNLOAD", raising=False)


def soft_disc(
    size: int = 200, centre: tuple[float, float] = (90, 110), radius: float = 50, soft: float = 6
) -> np.ndarray:
    """Alpha (size, size) of a disc whose edge is ``soft`` px wide."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / soft + 0.5, 0, 1).astype(np.float32)


def disc_picture(background=(1.0, 1.0, 1.0), **options) -> np.ndarray:
    """A red disc on a plain background (H, W, 3) uint8."""
    alpha = soft_disc(**options)
    return to_uint8(over(np.broadcast_to(RED, (*alpha.shape, 3)), alpha, np.asarray(background)))


def box_of(alpha: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((alpha > 127).any(1)), np.flatnonzero((alpha > 127).any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("ratio", [0.75, 0.85, 0.95])
@pytest.mark.parametrize("shape", [(80, 40), (30, 90), (64, 64)])
def test_object_is_centred_at_the_given_ratio(ratio, shape):
    rgba = np.zeros((200, 300, 4), np.float32)
    rgba[20 : 20 + shape[0], 150 : 150 + shape[1]] = [0.2, 0.4, 0.6, 1]
    square = recentre(rgba, ratio, 512)
    left, top, right, bottom = box_of(square[..., 3] * 255)
    assert max(right - left, bottom - top) == pytest.approx(ratio * 512, abs=2)  # a pixel each side
    assert (left + right) / 2 == pytest.approx(256, abs=1) and (top + bottom) / 2 == pytest.approx(256, abs=1)
    assert (right - left) / (bottom - top) == pytest.approx(shape[1] / shape[0], rel=0.03)
    assert np.allclose(square[256, 256], [0.2, 0.4, 0.6, 1], atol=1e-4)


def test_objects_at_the_border_are_centred_too():
    rgba = np.ones((100, 100, 4), np.float32)
    square = recentre(rgba, 0.8, 200)
    assert box_of(square[..., 3] * 255) == (20, 20, 180, 180)


def test_hidden_colours_do_not_bleed_when_resized():
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[..., :3] = [0, 1, 0]
    rgba[16:48, 16:48] = [*RED, 1]
    small = resize_rgba(rgba, (23, 23), (0, 0, 64, 64))
    seen = small[..., 3] > 0.02
    assert np.abs(small[seen][:, :3] - RED).max() < 0.02


def test_limit_size_keeps_the_aspect_and_small_pictures():
    assert limit_size(np.zeros((100, 50, 3), np.uint8), 200).shape == (100, 50, 3)
    assert limit_size(np.zeros((1000, 500, 3), np.uint8), 200).shape == (200, 100, 3)
    assert limit_size(np.zeros((500, 1000, 4), np.uint8), 200).shape == (100, 200, 4)


def test_edges_lose_the_colour_of_the_background():
    alpha = soft_disc()
    truth = np.broadcast_to(RED, (*alpha.shape, 3))
    picture = over(truth, alpha, GREEN).astype(np.float32)
    edge = (alpha > 0.1) & (alpha < 0.95)
    before = np.abs(picture - truth)[edge].mean()
    after = np.abs(estimate_foreground(picture, alpha) - truth)[edge].mean()
    assert before > 0.25 and after < 0.02


def test_estimated_foreground_composes_to_the_picture():
    alpha = soft_disc()
    rng = np.random.default_rng(0)
    picture = np.clip(over(RED, alpha, GREEN) + rng.normal(0, 0.02, (200, 200, 3)), 0, 1).astype(np.float32)
    foreground = estimate_foreground(picture, alpha)
    assert np.array_equal(foreground[alpha == 1], picture[alpha == 1])
    assert np.abs(over(foreground, alpha, GREEN) - picture).max() < 0.12


def test_guided_upsampling_finds_the_edge_of_the_picture():
    truth = soft_disc(512, (250, 260), 150, 1.0)
    picture = over(np.broadcast_to(RED, (512, 512, 3)), truth, GREEN).astype(np.float32)
    coarse = soft_disc(128, (62.5, 65), 37.5, 2.0)  # the same, four times smaller and blurred
    plain = np.asarray(Image.fromarray(coarse).resize((512, 512), Image.Resampling.BILINEAR))
    guided = guided_upsample(picture, coarse)
    assert np.abs(guided - truth).mean() < 0.35 * np.abs(plain - truth).mean()
    assert guided.min() >= 0 and guided.max() <= 1


def test_given_alpha_is_kept_with_its_colours():
    alpha = soft_disc(soft=1)
    rgba = to_uint8(np.dstack([np.broadcast_to(RED, (200, 200, 3)), alpha]))
    cutout = cut_out(rgba)
    assert cutout.method == "alpha"
    assert cutout.rgba.shape == (768, 768, 4)
    seen = cutout.rgba[..., 3] > 10
    assert np.abs(cutout.rgba[seen][:, :3].astype(int) - to_uint8(RED)).max() <= 3
    share = np.pi * (0.85 / 2) ** 2
    assert (cutout.rgba[..., 3] / 255).mean() == pytest.approx(share, rel=0.03)


def test_rounded_corners_are_no_cutout():
    rgba = np.dstack([disc_picture(), np.full((200, 200), 255, np.uint8)])
    rgba[:8, :8, 3] = 0
    assert choose(rgba, CutoutConfig()) == "bundled"
    rgba[:60, :, 3] = 0
    assert choose(rgba, CutoutConfig()) == "alpha"


def test_without_models_auto_takes_the_bundled_network():
    assert choose(disc_picture(), CutoutConfig()) == "bundled"


@pytest.mark.parametrize("background", [(1, 1, 1), (0.5, 0.5, 0.5), (0.2, 0.3, 0.8)])
def test_bundled_cuts_a_plain_disc(background):
    cutout = cut_out(disc_picture(background=background, soft=1))
    assert cutout.method == "bundled"
    y, x = np.mgrid[:768, :768] + 0.5
    disc = np.hypot(x - 384, y - 384) < 0.85 * 384
    mask = cutout.rgba[..., 3] > 127
    assert (disc & mask).sum() / (disc | mask).sum() > 0.93
    inside = np.hypot(x - 384, y - 384) < 0.7 * 384
    assert np.abs(cutout.rgba[inside][:, :3].astype(int) - to_uint8(RED)).mean() < 6


def test_specks_and_pinholes_go_but_parts_and_handles_stay():
    alpha = np.zeros((200, 200), np.float32)
    alpha[40:140, 40:140] = 1
    alpha[160:185, 50:100] = 0.9  # a part of its own
    alpha[10:14, 180:184] = 1  # a speck
    alpha[60:62, 60:62] = 0.2  # a pinhole
    alpha[100:120, 100:120] = 0  # the hole of a handle
    cleaned = without_pinholes(main_parts(alpha))
    assert cleaned[12, 182] == 0 and cleaned[61, 61] == 1
    assert cleaned[110, 110] == 0 and cleaned[170, 70] == np.float32(0.9)


def test_the_same_picture_gives_the_same_bytes():
    picture = disc_picture(background=GREEN)
    assert np.array_equal(cut_out(picture).rgba, cut_out(picture).rgba)


def test_wide_and_tiny_pictures_are_cut_without_a_crash():
    wide = np.full((40, 700, 3), 240, np.uint8)
    wide[10:30, 300:360] = [20, 40, 200]
    assert cut_out(wide).rgba.shape == (768, 768, 4)
    tiny = np.full((16, 16, 3), 250, np.uint8)
    tiny[4:12, 4:12] = 10
    assert cut_out(tiny, CutoutConfig(size_px=64)).rgba.shape == (64, 64, 4)


@pytest.mark.parametrize("alpha", [0, 1, 100])
def test_transparent_pictures_are_refused(alpha):
    rgba = np.dstack([disc_picture(), np.full((200, 200), alpha, np.uint8)])
    with pytest.raises(BadInput, match="transparent"):
        cut_out(rgba)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_empty_pictures_are_refused_or_kept_whole(value):
    """A plain picture has no object. The network may see none or take all of it for one; it may not crash."""
    try:
        cutout = cut_out(np.full((100, 100, 3), value, np.uint8))
    except BadInput as error:
        assert "no object was found" in str(error)
    else:
        assert (cutout.rgba[..., 3] > 127).any()


def test_alpha_by_name_needs_an_alpha():
    with pytest.raises(BadInput, match="no transparency"):
        cut_out(disc_picture(), CutoutConfig(method="alpha"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("method", "magic"), ("ratio", 0.0), ("ratio", 1.5), ("size_px", 4), ("work_px", 0), ("min_foreground", 1.0)],
)
def test_config_values_out_of_range_are_named(field, value):
    with pytest.raises(ConfigError, match=field):
        CutoutConfig(**{field: value})


def test_every_method_has_a_config_name():
    assert set(CUTOUTS) == {"alpha", "rembg", "bundled"}


def test_missing_rembg_model_says_how_to_get_it():
    pytest.importorskip("onnxruntime")
    wanted = "download" if importlib.util.find_spec("rembg") else "pip install"
    with pytest.raises(MissingBackend, match=wanted):
        cut_out(disc_picture(), CutoutConfig(method="rembg", rembg_model="u2netp"))


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, zero123pp.pipelines.cutout, zero123pp.pipelines.inputs.read_image;"
        "print([m for m in ('torch', 'rembg', 'onnxruntime', 'numba', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


needs_rembg = pytest.mark.skipif(importlib.util.find_spec("rembg") is None, reason="rembg is not installed")


@pytest.fixture
def u2netp(shared, monkeypatch, tmp_path):
    """rembg's u2netp model in a REMBG_HOME of its own."""
    home = tmp_path / "rembg-home"
    home.mkdir()
    shutil.copy(shared / "weights" / "u2netp.onnx", home)
    monkeypatch.delenv("U2NET_HOME")
    monkeypatch.setenv("REMBG_HOME", str(home))
    return CutoutConfig(rembg_model="u2netp")


@needs_rembg
def test_rembg_is_taken_by_auto_when_its_model_is_here(u2netp, shared):
    from zero123pp.pipelines.inputs.read_image import read_image

    picture = read_image(shared / "bench" / "pictures" / "ycb_mug_photo.jpg")
    assert choose(picture, u2netp) == "rembg"
    cutout = cut_out(picture, u2netp)
    assert cutout.method == "rembg:u2netp"


@needs_rembg
def test_rembg_of_a_foreign_model_or_a_remote_service_is_refused(u2netp):
    for model in ("no-such-model", "../u2netp", "atlascloud"):
        with pytest.raises(MissingBackend, match="rembg"):
            cut_out(disc_picture(), CutoutConfig(method="rembg", rembg_model=model))


@needs_rembg
def test_numba_compiles_in_other_threads_while_rembg_is_loaded():
    """At every import on the way, another thread asks numba for a compiled function."""
    code = """
import sys, threading
import numba
from zero123pp.errors import MissingBackend
from zero123pp.pipelines.cutout import CutoutConfig
from zero123pp.pipelines.cutout.rembg_adapter import rembg_alpha
import numpy as np

compiled = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        def ask():
            compiled.append(hasattr(numba.njit(lambda x: x + 1), "py_func"))
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

sys.meta_path.insert(0, Watch())
try:
    rembg_alpha(np.zeros((8, 8, 3), np.uint8), CutoutConfig(rembg_model="silueta"))
except MissingBackend as error:
    assert "silueta is not at" in str(error), error
print(len(compiled) > 10, all(compiled), "pymatting" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["True", "True", "False"]
