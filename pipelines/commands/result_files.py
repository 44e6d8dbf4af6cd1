"""The page, the table and the picture of an evaluation: where they go, and what they must not replace."""

import os
import re
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.files import make_folder
from zero123pp.own import MARK

SUFFIXES = (".md", ".csv", ".png")
_MACHINE = re.compile(rb"Machine: [^\n]*" + MARK)
"""In the head of every page of an evaluation."""


def result_files(folder: str | Path, name: str) -> Path:
    """The folder of NAME.md, NAME.csv and NAME.png, made where it is missing.

    The page has this program's name in it and vouches for the two others.

    Raises BadInput when the name is that of another folder's file, the folder cannot be written to, or a file of one of
    these names is there that no evaluation wrote.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise BadInput(f"--name is {name!r}; expected the name of a file without its suffix, for example clean")
    folder = make_folder(folder)
    page = folder / f"{name}.md"
    is_ours = page.is_file() and _MACHINE.search(page.read_bytes()) is not None
    for suffix in SUFFIXES:
        file = folder / f"{name}{suffix}"
        if os.path.lexists(file) and not (is_ours and file.is_file()):
            raise BadInput(f"{file} was not written by this program and would be replaced; choose another --name")
    return folder
