"""Files that this program wrote are told from those of others, which it never replaces beside what it was asked for."""

import json
import os
import zipfile
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.images import is_own_png

MARK = b"zero123pp"
"""Stands near the begin or the end of each file that has room for it."""
PAGE_MARK = '<meta name="generator" content="zero123pp">'
"""Within the first 400 characters of every HTML page."""
TEXT_HEAD = "# zero123pp\n"
"""How an OBJ and its material file begin."""
REPORT_KEYS = frozenset({"model", "licence", "seed", "version", "warnings", "seconds", "config"})
"""All of them are in every JSON report."""

_AT_THE_END = (".gif", ".webp", ".mp4", ".parquet")
"""Formats whose mark may stand in their last bytes as well."""
_HEAD, _NEAR = 1024, 2048
"""Bytes from the begin in which the mark stands, and from either end of `_AT_THE_END`."""
_LARGEST_REPORT = 16 << 20


def is_own(path: str | Path, suffix: str | None = None) -> bool:
    """Whether this program wrote a file, by the mark of its format; False for what cannot be read or is no file.

    Args:
        path: of the file.
        suffix: of the format that will be written there; None for that of the name.
    """
    path = Path(path)
    suffix = path.suffix.lower() if suffix is None else suffix
    try:
        if not path.is_file():
            return False
        if suffix == ".png":
            return is_own_png(path)
        if suffix == ".json":
            return path.stat().st_size < _LARGEST_REPORT and _is_report(path.read_bytes())
        if suffix in (".3mf", ".usdz") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(MARK in archive.open(name).read(_HEAD) for name in archive.namelist()[:8])
        with open(path, "rb") as file:
            head = file.read(_NEAR)
            if suffix in (".html", ".htm"):
                return PAGE_MARK.encode() in head[:400]
            if suffix in (".obj", ".mtl"):
                return head.startswith(TEXT_HEAD.encode())
            if suffix not in _AT_THE_END:
                return MARK in head[:_HEAD]
            file.seek(max(0, file.seek(0, os.SEEK_END) - _NEAR))
            return MARK in head or MARK in file.read()
    except (OSError, zipfile.BadZipFile):
        return False


def check_own(path: str | Path, suffix: str | None = None) -> None:
    """BadInput when there is anything at ``path`` that this program did not write in that format, see `is_own`."""
    if os.path.lexists(path) and not is_own(path, suffix):
        what = "was not written by this program and would be replaced" if Path(path).is_file() else "is in the way"
        raise BadInput(f"{path} {what}; move it, or choose another name")


def check_table(path: str | Path, begins: str) -> None:
    """BadInput when there is anything at ``path`` but a table (CSV) whose first line ``begins`` so."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            is_ours = file.readline(1000).startswith(begins)
    except OSError:
        is_ours = False
    if os.path.lexists(path) and not is_ours:
        raise BadInput(f"{path} was not written by this program and would be replaced; move it, or choose another name")


def _is_report(content: bytes) -> bool:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.keys() >= REPORT_KEYS
