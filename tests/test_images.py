"""Laws of sheets and colour arithmetic."""

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.images import linear_to_srgb, over, srgb_to_linear, tile_sheet, to_float, to_uint8, untile_sheet


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
