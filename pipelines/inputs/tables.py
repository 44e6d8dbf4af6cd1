"""Lists as text files: the lines of one in whatever encoding it came, and its cells by whatever parts them.

Spreadsheets write semicolons where the comma is for decimals, UTF-16 or the code page of their system, and a first
line ``sep=;`` for themselves.
"""

import codecs
import csv
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from zero123pp.errors import BadInput

MAX_ROW_CHARACTERS = 100_000
"""A longer line is no row of a list."""

DELIMITERS = ",;\t|"

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte-order marks and what they say; those of UTF-32 first, because they begin like those of UTF-16."""
_OLD_CODE_PAGE = "cp1252"
"""Of western Windows: what bytes that are no UTF-8 are taken for, a line at a time."""


def text_lines(path: Path, newline: str | None = None) -> Iterator[str]:
    """The lines of a text file, each of bounded length: a file without line breaks must not be read into memory.

    UTF-8, UTF-16 and UTF-32, with or without a byte-order mark; a line that is no UTF-8 is read as Windows-1252.

    Raises:
        BadInput: a line that is too long, or text of another encoding.
    """
    with _opened(path, newline) as file:
        number = 0
        try:
            while line := file.readline(MAX_ROW_CHARACTERS + 1):
                if len(line) > MAX_ROW_CHARACTERS:
                    raise BadInput(
                        f"{path}: line {number + 1} has more than {MAX_ROW_CHARACTERS} characters; it is no list"
                    )
                line = _mended(line)
                number += 1
                yield line
        except UnicodeError as error:
            raise BadInput(
                f"{path}: line {number + 1} is text of another encoding than UTF-8, UTF-16 or Windows-1252 ({error}); "
                "save the list as UTF-8"
            ) from error


def csv_rows(path: Path, known: Collection[str]) -> Iterator[list[str]]:
    """The rows of a CSV file as lists of cells, the names of its columns first, in small letters.

    Args:
        path: the file.
        known: names of columns; by them the delimiter is told, one of `DELIMITERS`.

    Raises:
        BadInput: see `text_lines`; or quotes that do not end.
    """
    lines = text_lines(path, newline="")
    first = next(lines, "")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, first = first.strip()[4], next(lines, "")
    else:
        delimiter = max(DELIMITERS, key=lambda each: len(set(_names(first, each)) & set(known)))
    yield _names(first, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise BadInput(f"{path} is no readable CSV: line {reader.line_num + 2}: {error}") from error


def _names(line: str, delimiter: str) -> list[str]:
    """The columns that a first line names; spreadsheets leave empty cells after the last one."""
    try:
        names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []
    while names and not names[-1]:
        names.pop()
    return names


@contextmanager
def _opened(path: Path, newline: str | None) -> Iterator[TextIO]:
    with open(path, "rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if encoding is None and len(start) == 4:  # ASCII letters of 16 bits, unmarked
        encoding = {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get((not start[0], not start[1]))
        encoding = encoding if bool(start[0]) == bool(start[2]) and bool(start[1]) == bool(start[3]) else None
    errors = "strict" if encoding and not encoding.startswith("utf-8") else "surrogateescape"
    with open(path, encoding=encoding or "utf-8", errors=errors, newline=newline) as file:
        yield file


def _mended(line: str) -> str:
    """A line whose bytes were no UTF-8, by the old code page; UnicodeError when it is that neither."""
    if line.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in line):
        return line
    return line.encode("utf-8", "surrogateescape").decode(_OLD_CODE_PAGE)
