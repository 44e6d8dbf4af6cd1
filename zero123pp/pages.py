"""HTML pages that this program writes: a mark in each, so that nobody else's is taken for one and replaced."""

import os
from pathlib import Path

from zero123pp.errors import BadInput

MARK = '<meta name="generator" content="zero123pp">'
"""Within the first 400 characters of every page."""


def check_page(path: str | Path) -> None:
    """BadInput when there is a file at ``path`` that is no page of ours."""
    path = Path(path)
    if path.is_file() and MARK not in path.read_bytes()[:400].decode("utf-8", "replace"):
        raise BadInput(f"{path} was not written by this program and would be replaced; move it away")
    if os.path.lexists(path) and not path.is_file():
        raise BadInput(f"{path} is in the way: it is no file; choose another name")
