"""Where an evaluation's files go, and what they do not replace."""

import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.result_files import result_files

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
