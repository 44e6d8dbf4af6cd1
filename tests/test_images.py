"""Laws of sheets and colour arithmetic."""

import io

import numpy as np
import pytest
from PIL import Image

from zero123pp.errors import BadInput
from zero123pp.images import (
    encode_png,
    linear_to_srgb,
    over,
    premultiply,
    resize_planes,
    resize_rgba,
    srgb_to_linear,
    tile_sheet,
    to_float,
    to_uint8,
    unpremultiply,
    untile_sheet,
    without_small_holes,
)

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("tail", [(), (3,), (4,)])
def test_untile_inverts_tile(tail):
    tiles = np.random.default_rng(0).integers(0, 255, (6, 5, 5, *tail), dtype=np.uint8)
    sheet = tile_sheet(tiles)
    assert sheet.shape == (15, 10, *tail)
    np.testing.assert_array_equal(untile_sheet(sheet), tiles)
    np.testing.assert_array_equal(sheet[5:10, 5:10], tiles[3])  # row-major: view 3 is row 1, column 1


@pytest.mark.parametrize("shape", [(10, 15, 3), (16, 10, 3), (3, 1, 3), (9, 5, 3)])
def test_a_sheet_must_be_three_to_two(shape):
    with pytest.raises(BadInput, match=f"{shape[1]}x{shape[0]}"):
        untile_sheet(np.zeros(shape))


def test_bytes_survive_floats_and_linear_light():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(to_float(every)), every)
    np.testing.assert_array_equal(to_uint8(linear_to_srgb(srgb_to_linear(to_float(every)))), every)
    assert srgb_to_linear(np.float64(0.5)) == pytest.approx(0.21404, abs=1e-5)  # IEC 61966-2-1


def test_over_blends_with_straight_alpha():
    np.testing.assert_allclose(over(np.array([1.0, 0, 0]), np.array(0.25), 0.5), [0.625, 0.375, 0.375])


def test_weighting_by_alpha_can_be_undone_where_something_is_seen():
    rgba = np.random.default_rng(0).uniform(0.1, 1, (3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(unpremultiply(premultiply(rgba)), rgba, rtol=1e-6)
    rgba[0, 0, 3] = 0
    assert not unpremultiply(premultiply(rgba))[0, 0].any()
    faint = np.array([[[0.5, 0.25, 0.5, 0.01]]], np.float32)
    np.testing.assert_allclose(unpremultiply(premultiply(faint), least=0.02), [[[0.25, 0.125, 0.25, 0.01]]], rtol=1e-6)


def test_hidden_colours_do_not_bleed_into_visible_ones():
    """Half a red square, beside it invisible green: at half the size it is red everywhere, and half there."""
    rgba = np.zeros((4, 4, 4), np.float32)
    rgba[:, :1], rgba[:, 1:] = (1, 0, 0, 1), (0, 1, 0, 0)
    small = resize_rgba(rgba, (2, 2), Image.Resampling.BOX)
    np.testing.assert_allclose(small[:, 0], [[1, 0, 0, 0.5]] * 2, atol=1e-6)
    assert not small[:, 1].any()


def test_channels_are_resampled_as_pillow_does_one():
    values = np.random.default_rng(0).normal(size=(6, 8, 3))
    found = resize_planes(values, (4, 3), Image.Resampling.BOX)
    np.testing.assert_allclose(found, values.reshape(3, 2, 4, 2, 3).mean((1, 3)), atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(resize_planes(values[..., 1], (4, 3), Image.Resampling.BOX), found[..., 1])
    np.testing.assert_allclose(
        resize_planes(values, (2, 2), Image.Resampling.BOX, box=(4, 2, 8, 6)),
        values[2:6, 4:8].reshape(2, 2, 2, 2, 3).mean((1, 3)), atol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (3, 5, 4)])
def test_a_picture_survives_png(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels[:, ::-1], compress_level=1))) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), pixels[:, ::-1])


def test_small_holes_are_closed_and_large_ones_are_not():
    alpha = np.ones((100, 100), np.float32)
    alpha[:5] = alpha[-5:] = alpha[:, :5] = alpha[:, -5:] = 0
    alpha[30:33, 30:33] = alpha[50:70, 50:70] = 0
    closed = without_small_holes(alpha, 0.004)
    assert closed[31, 31] == 1 and closed[60, 60] == 0 and closed[0, 0] == 0


def test_a_cut_in_the_border_of_a_picture_is_no_hole():
    alpha = np.ones((100, 100), np.float32)
    alpha[0:2, 40:42] = 0
    assert without_small_holes(alpha, 0.004)[0, 40] == 0
