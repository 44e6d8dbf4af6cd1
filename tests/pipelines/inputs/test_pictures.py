"""Which files of a folder are pictures, and in which order."""

import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.pictures import find_pictures, pictures_under


@pytest.fixture
def folder(tmp_path):
    for name in ("b.PNG", "a.tiff", "a_alpha.png", "notes.txt", ".hidden.png", "deep/c.jpg", ".cache/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked").symlink_to("deep")
    return tmp_path


def test_pictures_of_folders_and_single_ones(folder):
    names = [path.name for path in find_pictures([str(folder), folder / "deep" / "c.jpg"])]
    assert names == ["a.tiff", "a_alpha.png", "b.PNG", "c.jpg"]
    assert [path.name for path in find_pictures([folder], skip="_alpha")] == ["a.tiff", "b.PNG"]


def test_pictures_of_sub_folders_too(folder):
    assert pictures_under(folder) == ["a.tiff", "a_alpha.png", "b.PNG", "deep/c.jpg"]


def test_no_pictures_are_told(folder):
    with pytest.raises(BadInput, match=r"no pictures in .*notes\.txt; expected \.png"):
        find_pictures([folder / "notes.txt"])
