"""Contact sheets: the right picture in the right place, labels that fit, honest transparency."""

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.contact_sheet import contact_sheet, save_contact_sheet

pytestmark = pytest.mark.quick

RED, GREEN = (np.tile(np.uint8(color), (8, 8, 1)) for color in ([255, 0, 0], [0, 255, 0]))


def test_tiles_lie_row_by_row():
    sheet = contact_sheet([[RED, GREEN], [None, RED / 255]], tile_px=20, gap_px=4)
    assert sheet.shape == (44, 44, 3)
    assert sheet[10, 10].tolist() == [255, 0, 0] and sheet[10, 34].tolist() == [0, 255, 0]
    assert sheet[34, 10].tolist() == [255, 255, 255] and sheet[34, 34].tolist() == [255, 0, 0]
    assert (sheet[:, 20:24] == 255).all()


def test_labels_take_their_own_room():
    plain = contact_sheet([[RED, GREEN]], tile_px=64)
    labelled = contact_sheet([[RED, GREEN]], tile_px=64, row_labels=["cow"], column_labels=["a", "b"])
    assert labelled.shape[0] > plain.shape[0] and labelled.shape[1] > plain.shape[1]
    np.testing.assert_array_equal(labelled[-64:, -plain.shape[1] :], plain)
    assert (labelled[-64:, : -plain.shape[1]] < 128).any()  # the row's label is written
    assert (labelled[: -plain.shape[0], -64:] < 128).any()  # so is the second column's


def test_captions_run_on_under_tiles_without_one_and_are_cut_at_the_next():
    long = "a caption that is much longer than its tile"
    sheet = contact_sheet([[RED, RED, RED]], captions=[[long, "", "end"]], tile_px=60)
    under = (sheet[60:] < 128).any(axis=(0, 2))
    assert under[62:100].any()
    assert not under[118:124].any()
    assert under[124:].any()


def test_invisible_pixels_show_the_background_and_wide_pictures_are_fitted():
    clear = np.zeros((8, 8, 4), np.uint8)
    assert (contact_sheet([[clear]], tile_px=16, background=0.5) == 128).all()
    assert len(np.unique(contact_sheet([[clear]], tile_px=32))) == 2
    wide = contact_sheet([[np.zeros((4, 8, 3), np.uint8)]], tile_px=32, background=1.0)
    assert (wide[:8] == 255).all() and (wide[8:24] == 0).all() and (wide[24:] == 255).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"rows": []},
        {"rows": [[]]},
        {"rows": [[RED]], "row_labels": ["a", "b"]},
        {"rows": [[RED]], "column_labels": ["a", "b"]},
        {"rows": [[RED]], "captions": [["a"], ["b"]]},
        {"rows": [[np.zeros((4, 4))]]},
    ],
    ids=["no rows", "no tiles", "row labels", "column labels", "captions", "no channels"],
)
def test_grids_that_do_not_fit_are_refused(arguments):
    with pytest.raises(BadInput):
        contact_sheet(**arguments)


def test_a_saved_sheet_reads_back(tmp_path):
    from PIL import Image

    sheet = contact_sheet([[RED, GREEN]], tile_px=32)
    save_contact_sheet(tmp_path / "sheet.png", sheet)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")), sheet)
