"""Figures cut out of sheets."""

import numpy as np
import pytest
from drawn_turnarounds import H, W, character, mushroom, rocket

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.turnaround.figures import cut_figures

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(("sheet", "count"), [(mushroom, 4), (rocket, 3), (character, 4)])
def test_figures_come_out_in_order_and_whole(sheet, count):
    pixels = sheet()
    figures = cut_figures(pixels, count, "sheet.png")
    assert len(figures) == count
    background = pixels[0, 0].astype(int)
    for number, figure in enumerate(figures):
        cell = pixels[:, number * W : (number + 1) * W].astype(int)
        rows = np.flatnonzero((np.abs(cell - background).max(-1) > 40).any(1))
        assert abs(figure.shape[0] - (rows[-1] - rows[0] + 1)) <= 3
        assert figure[..., 3].min() < 0.1 < 0.9 < figure[..., 3].max()


def test_letters_are_left_out_and_parts_that_stand_apart_are_kept():
    rgba = np.zeros((100, 220, 4), np.uint8)
    rgba[10:90, 20:60] = rgba[10:90, 150:190] = 255
    rgba[40:60, 70:84] = 255  # a part beside the first figure
    rgba[94:97, 30:33] = 255  # a letter under it
    first, second = cut_figures(rgba, 2, "sheet.png")
    assert (first.shape, second.shape) == ((80, 64, 4), (80, 40, 4))


def test_figures_in_two_rows():
    rgba = np.zeros((200, 200, 4), np.uint8)
    for number, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        rgba[100 * row + 20 : 100 * row + 80, 100 * column + 30 : 100 * column + 60 + number] = 255
    assert [figure.shape[1] for figure in cut_figures(rgba, 4, "sheet.png")] == [30, 31, 32, 33]


@pytest.mark.parametrize(
    ("pixels", "count", "said"),
    [
        (np.full((H, W, 3), 200, np.uint8), 4, "every pixel is background"),
        (np.pad(np.full((60, 30, 4), 255, np.uint8), ((9, 9), (9, 9), (0, 0))), 3, "1 figure beside.*expected 3"),
        (np.pad(np.full((9, 30, 4), 255, np.uint8), ((9, 9), (9, 9), (0, 0))), 1, "9 px height"),
    ],
    ids=["empty", "one figure", "tiny"],
)
def test_sheets_that_cannot_be_cut_are_refused(pixels, count, said):
    with pytest.raises(BadInput, match=said):
        cut_figures(pixels, count, "sheet.png")
