"""The test of a file is found from the file's path."""

import pytest
from paths import ROOT

pytestmark = pytest.mark.quick

ABOUT_ALL = {
    "test_containers.py",
    "test_duplicates.py",
    "test_kernels.py",
    "test_layering.py",
    "test_mirror.py",
    "test_packaging.py",
    "test_requirements.py",
    "gpu",
    "security",
}
"""Tests of the whole tree, by the first part of their path."""
TESTS = [path.relative_to(ROOT / "tests") for path in sorted((ROOT / "tests").rglob("test_*.py"))]


def rooms_of(folder):
    """Folders that the tests of a folder may be about: those of the top stand beside `zero123pp` in a checkout."""
    return [room for room in (ROOT / folder, ROOT / "zero123pp" / folder) if room.is_dir()]


@pytest.mark.parametrize("test", [test for test in TESTS if test.parts[0] not in ABOUT_ALL], ids=str)
def test_a_test_bears_the_name_of_what_it_tests(test):
    """test_<module>.py or test_<module>_<aspect>.py, or the folder's name where it is about the folder as a whole."""
    rooms = rooms_of(test.parent)
    names = {test.parent.name} | {path.stem for room in rooms for path in room.iterdir()}
    subject = test.stem.removeprefix("test_")
    assert rooms and any(subject == name or subject.startswith(f"{name}_") for name in names if name)
