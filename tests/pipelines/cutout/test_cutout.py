"""From cutout to mesh in calls: methods and the choice between them, transparent and empty pictures."""

import os
import subprocess
import sys

import numpy as np
import pytest
from discs import GREEN, RED, disc_picture, soft_disc

from zero123pp.errors import BadInput, ConfigError
from zero123pp.images import to_uint8
from zero123pp.pipelines.cutout import (
    CUTOUTS,
    CutoutConfig,
    choose,
    cut_along,
    cut_out,
    find_outline,
    outline_of_mask,
)
from zero123pp.pipelines.cutout.config import METHODS


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
    assert {"auto", *CUTOUTS} == set(METHODS)


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, zero123pp.pipelines.cutout, zero123pp.pipelines.inputs.read_image;"
        "print([m for m in ('torch', 'rembg', 'onnxruntime', 'numba', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


def test_between_its_halves_the_outline_can_be_corrected():
    """Cutting along what was found is cutting out; along a mask with half of it, of any size, is half of that."""
    rgb = np.full((120, 160, 3), 230, np.uint8)
    rgb[20:100, 50:110] = (200, 30, 30)
    alpha = np.zeros((120, 160, 1), np.uint8)
    alpha[20:100, 50:110] = 255
    image = np.concatenate([rgb, alpha], -1)
    found = find_outline(image)
    assert found.method == "alpha" and found.alpha.shape == (120, 160)
    assert cut_along(found) == cut_out(image)
    drawn = np.zeros((240, 320), np.uint8)
    drawn[40:120, 100:220] = 255
    cut = cut_along(outline_of_mask(rgb, drawn))
    shape = cut.rgba[..., 3] > 127
    assert cut.method == "mask" and shape.any(0).sum() / shape.any(1).sum() == pytest.approx(60 / 40, rel=0.02)
    assert np.abs(cut.rgba[shape][:, :3].astype(int) - (200, 30, 30)).max() <= 40  # the rest of it is background now
    with pytest.raises(BadInput, match="160x120 px but its mask 100x100"):
        outline_of_mask(rgb, np.zeros((100, 100), np.uint8))
    with pytest.raises(BadInput, match="no object was found"):
        cut_along(outline_of_mask(rgb, np.zeros((120, 160), np.uint8)))
