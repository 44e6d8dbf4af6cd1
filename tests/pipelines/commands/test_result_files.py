"""Where an evaluation's files go, and what they do not replace."""

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.images import encode_png, own_png
from zero123pp.pipelines.commands.result_files import check_sheet, check_table, result_files

pytestmark = pytest.mark.quick
PAGE = "# Pictures\n\n- Machine: a chip, 2 cores, zero123pp 0.1.0.\n"


@pytest.mark.parametrize("name", ["../escape", "a/b", "", "..", ".hidden"])
def test_a_name_leads_to_no_other_folder(tmp_path, name):
    with pytest.raises(BadInput, match="--name is"):
        result_files(tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("theirs", ["README.md", "README.csv", "README.png"])
def test_a_file_of_others_stays(tmp_path, theirs):
    (tmp_path / theirs).write_text("# zero123pp is nice\n")
    with pytest.raises(BadInput, match=f"{theirs} was not written by this program"):
        result_files(tmp_path, "README")


def test_a_page_of_ours_vouches_for_its_table_and_picture(tmp_path):
    for suffix in (".md", ".csv", ".png"):
        (tmp_path / f"clean{suffix}").write_text(PAGE)
    assert result_files(tmp_path, "clean") == tmp_path
    assert result_files(tmp_path / "new", "clean").is_dir()


def test_tables_and_sheets_of_others_stay(tmp_path):
    table, sheet = tmp_path / "notes.csv", tmp_path / "mine.png"
    for made, theirs, check in (
        (b"method,picture,iou\n", b"name,price\n", lambda: check_table(table, "method,picture,")),
        (own_png(np.zeros((2, 2, 3), np.uint8)), encode_png(np.zeros((2, 2, 3), np.uint8)), lambda: check_sheet(sheet)),
    ):
        check()
        for content, is_ours in ((made, True), (theirs, False)):
            (table if made.startswith(b"method") else sheet).write_bytes(content)
            if is_ours:
                check()
            else:
                with pytest.raises(BadInput, match="was not written by this program"):
                    check()
