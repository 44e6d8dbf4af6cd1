"""Names of files as other systems spell them."""

import unicodedata

import pytest

from zero123pp.pipelines.inputs.find_file import find_file

pytestmark = pytest.mark.quick


@pytest.fixture
def home(tmp_path):
    for name in ("Pics/One.PNG", "Pics/one.jpg", "Pics/two.png", "Pics/TWO.png", unicodedata.normalize("NFD", "é.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Pics/One.PNG", "Pics/One.PNG"),
        ("Pics\\One.PNG", "Pics/One.PNG"),
        (".\\pics\\ONE.png", "Pics/One.PNG"),
        ("pics/one.jpg", "Pics/one.jpg"),
        ("Pics/two.png", "Pics/two.png"),  # as written, although another is spelled alike
        ("Pics/Two.png", None),  # two are spelled alike
        (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
        ("Pics", None),
        ("Pics/three.png", None),
        ("../x", None),
        ("Pics\\..\\..\\x", None),
        ("/etc/passwd", None),
        ("", None),
    ],
)
def test_files_are_found_as_they_are_spelled_elsewhere(home, text, found):
    assert find_file(home, text) == (None if found is None else home / found)


def test_a_name_with_a_backslash_is_found_first(home):
    (home / "Pics\\One.PNG").touch()
    assert find_file(home, "Pics\\One.PNG") == home / "Pics\\One.PNG"


def test_a_file_that_came_later_is_found(home):
    assert find_file(home, "pics/new.png") is None
    (home / "Pics" / "NEW.png").touch()
    assert find_file(home, "pics/new.png") == home / "Pics" / "NEW.png"
