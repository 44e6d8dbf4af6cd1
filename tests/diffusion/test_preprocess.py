"""Pixels for the VAE and CLIP."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zero123pp.diffusion.control import control_pixels
from zero123pp.diffusion.preprocess import ImagePreprocessor, on_gray
from zero123pp.errors import BadInput

CLIP = ImagePreprocessor(224, (224, 224), 3, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
VAE = ImagePreprocessor(512, (512, 512), 2, 0.5, 0.8)


def noise_picture(width, height, channels=3, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([CLIP, VAE]))
def test_bit_for_bit_the_pillow_processor_of_transformers(width, height, mine):
    processors = pytest.importorskip("transformers")
    theirs = getattr(processors, "CLIPImageProcessorPil", None) or processors.CLIPImageProcessor
    if max(width, height) > 16 * min(width, height):
        return
    picture = noise_picture(width, height)
    want = theirs(**mine.to_config())(picture, return_tensors="np").pixel_values
    np.testing.assert_array_equal(mine(picture).numpy(), want)


def test_config_round_trip():
    for made in (CLIP, VAE):
        assert ImagePreprocessor.from_config(made.to_config()) == made
    old = CLIP.to_config() | {"size": 224, "crop_size": 224}
    assert ImagePreprocessor.from_config(old) == CLIP


@pytest.mark.parametrize(
    "change",
    [
        {"do_resize": False},
        {"do_center_crop": False},
        {"size": {"height": 3}},
        {"size": 10**9},
        {"crop_size": {"height": 300, "width": 300}},
        {"crop_size": 0},
        {"resample": 77},
        {"image_mean": None, "image_std": None, "size": "big"},
    ],
)
def test_unusable_configs(change):
    with pytest.raises(BadInput, match=r"preprocessor_config\.json"):
        ImagePreprocessor.from_config(CLIP.to_config() | change)


def test_on_gray():
    rgba = noise_picture(9, 7, 4)
    pixels = np.asarray(rgba).astype(float)
    alpha = pixels[..., 3:] / 255
    got = np.asarray(on_gray(rgba)).astype(float)
    assert np.abs(got - (alpha * pixels[..., :3] + (1 - alpha) * 127)).max() <= 1
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (np.asarray(on_gray(clear)) == 127).all()
    rgb = noise_picture(5, 5)
    assert on_gray(rgb) is rgb
    np.testing.assert_array_equal(np.asarray(on_gray(np.asarray(rgba))), np.asarray(on_gray(rgba)))


@pytest.mark.parametrize(
    "bad",
    [
        Image.new("L", (8, 8)),
        Image.new("P", (8, 8)),
        Image.new("I;16", (8, 8)),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        "toy.png",
        None,
        [Image.new("RGB", (8, 8))],
    ],
    ids=lambda bad: getattr(bad, "mode", type(bad).__name__),
)
def test_other_pictures_are_refused(bad):
    with pytest.raises(BadInput, match="image"):
        on_gray(bad)


def test_a_sliver_is_refused_before_it_fills_the_memory():
    with pytest.raises(BadInput, match="20000x2"):
        VAE(Image.new("RGB", (20000, 2)))


def test_control_pixels():
    sheet = noise_picture(128, 192)
    got = control_pixels(sheet, 128, 192)
    assert tuple(got.shape) == (1, 3, 192, 128)
    np.testing.assert_allclose(got[0].permute(1, 2, 0).numpy(), np.asarray(sheet) / 127.5 - 1, atol=1e-6)
    with pytest.raises(BadInput, match=r"depth_image is 128x192 px, but the sheet is 640x960"):
        control_pixels(sheet, 640, 960)
    with pytest.raises(BadInput, match="depth_image has mode 'L'"):
        control_pixels(Image.new("L", (128, 192)), 128, 192)
