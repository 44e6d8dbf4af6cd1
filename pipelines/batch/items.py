"""What a batch is asked to do: a folder of pictures, or a CSV or JSONL list with one item a row.

A list comes from anywhere, so nothing in it is trusted: paths must stay inside the list's own folder, values are
checked one by one, and a bad row costs that row and no other.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.options import SEED, Kind, options_of
from zero123pp.pipelines.batch.places import is_taken, readable
from zero123pp.pipelines.inputs import (
    PICTURE_SUFFIXES,
    Shard,
    csv_rows,
    find_file,
    passed_over_under,
    pictures_under,
    spellings,
    text_lines,
)
from zero123pp.pipelines.models import Generation

LIST_SUFFIXES = (".csv", ".tsv", ".jsonl")

MAX_ROWS = 2_000_000
"""Rows that one run keeps; larger lists are split by ``--shard``, about 1 kB of memory a row."""
DRAWING = {each.name: each.kind for each in options_of(Generation) if each.is_column}
"""Columns about how views are drawn, and what values they take."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object to make."""

    row: int
    """Place in the list, from 0; the order of the index."""
    image: str | None = None
    """Picture, relative to the root of the batch."""
    views: str | None = None
    """Sheet of views to start from instead, likewise."""
    prompt: str | None = None
    """Text to draw the picture from instead."""
    rig: str | None = None
    """Name of the rig of ``views``."""
    model: str = "auto"
    """As ``--model``."""
    seed: int = 0
    """Fixes every random choice."""
    steps: int | None = None
    """Denoising steps; None for the model's own."""
    guidance: float | None = None
    """Guidance scale; None for the model's own."""
    problem: str = ""
    """Why the row cannot be run; '' when it can."""
    name: str = ""
    """Of its result, for people; '' where its key alone names it."""
    shares_name: bool = False
    """Whether another item of the list would have the same name."""

    @property
    def source(self) -> str:
        """What it is made from, for people: a path or the prompt."""
        return self.image or self.views or self.prompt or f"row {self.row + 1}"


def read_items(
    source: str | Path, defaults: Item, shard: Shard = Shard(), *, skip: Path | None = None
) -> tuple[list[Item], Path]:
    """The items of a folder, a .csv or a .jsonl file, and the folder that their paths are relative to.

    Args:
        source: a folder is searched for pictures, with its sub-folders, sorted by path; links to folders are not
            followed. A list has the columns (or keys) image, views, prompt, rig, model, seed, steps, guidance; empty
            values take ``defaults``.
        defaults: the values of rows that do not say.
        shard: the part to keep.
        skip: a folder whose pictures are none of the batch: that of the results, where it lies among the pictures.

    Raises:
        BadInput: nothing to read, or a list that is damaged as a whole; a row that is wrong becomes an Item with its
            ``problem``.
    """
    if "\0" in str(source):
        raise BadInput(f"{str(source)!r} has a NUL character in it; give a folder or a list")
    path = Path(source)
    try:
        if path.is_dir():
            pictures = pictures_under(path, skip)
            found, root = (replace(defaults, row=row, image=image) for row, image in enumerate(pictures)), path
        elif not path.is_file():
            raise BadInput(f"there is no folder or list {path}; give a folder of pictures, a .csv or a .jsonl file")
        elif path.suffix.lower() in (".csv", ".tsv"):
            found, root = _numbered(_csv_rows(path), defaults), path.parent
        elif path.suffix.lower() == ".jsonl":
            found, root = _numbered(_jsonl_rows(path), defaults), path.parent
        else:
            raise BadInput(f"{path} is neither a folder nor a list; expected {', '.join(LIST_SUFFIXES)}")
        items = _kept(found, shard, path)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}; check the path and its permissions") from error
    if not items and shard.count == 1:
        others = passed_over_under(path) if path.is_dir() else ""
        others = others and f" ({others})"
        raise BadInput(f"nothing to do in {path}; expected {', '.join(PICTURE_SUFFIXES)} or rows of a list{others}")
    return items, root


def _kept(found: Iterable[Item], shard: Shard, path: Path) -> list[Item]:
    """The items of a shard, with the names of their results; BadInput when they are too many for one run.

    Items anywhere in the list that would have one name, on any file system, say so. A row that asks for the very same
    as another does not count: the two have one result.
    """
    items: list[Item] = []
    asked: dict[str, int] = {}
    shared: set[str] = set()
    for item in found:
        name = readable(item.source)
        alike, facts = name.casefold(), hash(replace(item, row=0))
        if asked.setdefault(alike, facts) != facts or is_taken(name):
            shared.add(alike)
        if shard.has(item.row):
            items.append(replace(item, name=name))
        if len(items) > MAX_ROWS:
            raise BadInput(f"{path} has more than {MAX_ROWS} rows for one run; split it, for example --shard 1/16")
    return [replace(item, shares_name=item.name.casefold() in shared) for item in items]


def inside(root: Path, text: str) -> Path:
    """The file ``text`` under ``root``, links resolved; BadInput when it is elsewhere.

    Where there is none of that name, the only one that is spelled alike: with the slashes, the capitals or the accents
    of another system (`find_file`).

    Args:
        root: the folder that must not be left.
        text: a relative path.
    """
    shown = text if text.isprintable() else repr(text)
    if "\0" in text:
        raise BadInput(f"path {shown} has a NUL character in it")
    if any(map(os.path.isabs, spellings(text))) or (len(text) > 1 and text[1] == ":"):
        raise BadInput(f"path {shown} is absolute; paths in a list are relative to the folder of the list")
    try:
        home = root.resolve(strict=True)
        paths = [(home / written).resolve() for written in spellings(text)]
        if not paths[0].exists() and (alike := find_file(home, text)) is not None:
            paths.append(alike.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # loops of links, names too long, lone surrogates
        raise BadInput(f"path {shown[:200]} cannot be followed: {error}") from error
    if not all(path.is_relative_to(home) for path in paths):
        raise BadInput(f"path {shown} leaves the folder of the list; copy the file into it")
    return paths[0] if paths[0].exists() else paths[-1]


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any] | str]:
    rows = csv_rows(path, _COLUMNS)
    columns = next(rows)
    _check_columns(columns, path)
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            yield f"has {len(cells)} cells for {len(columns)} columns"
        else:
            yield dict(zip(columns, cells))


def _check_columns(columns: list[str], path: Path) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        raise BadInput(f"{path} has unknown columns {_shown(unknown)}; known are {', '.join(_COLUMNS)}")
    if len(set(columns)) < len(columns) or not set(columns) & {"image", "views", "prompt"}:
        raise BadInput(f"{path}: its first line must name columns, once each, one of them image, views or prompt")


def _jsonl_rows(path: Path) -> Iterator[Mapping[str, Any] | str]:
    return (_json_row(line) for line in text_lines(path) if line.strip())


def _json_row(line: str) -> Mapping[str, Any] | str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is no JSON: {str(error)[:200]}"
    if not isinstance(row, dict):
        return f'is a JSON {type(row).__name__}; expected an object such as {{"image": "toy.png"}}'
    unknown = [key for key in row if key not in _COLUMNS]
    return f"has unknown keys {_shown(unknown)}; known are {', '.join(_COLUMNS)}" if unknown else row


def _numbered(rows: Iterator[Mapping[str, Any] | str], defaults: Item) -> Iterator[Item]:
    for number, row in enumerate(rows):
        if isinstance(row, str):
            yield replace(defaults, row=number, problem=f"row {number + 1} {row}")
            continue
        try:
            given = {name: read(row[name]) for name, read in _COLUMNS.items() if row.get(name) not in (None, "")}
            yield _checked(replace(_defaults_for(given, defaults), row=number, **given), given)
        except BadInput as error:
            yield replace(defaults, row=number, problem=f"row {number + 1}: {error}")


def _defaults_for(given: Mapping[str, Any], defaults: Item) -> Item:
    """The defaults of a row; one that gives its views is not drawn."""
    return replace(defaults, **dict.fromkeys(DRAWING)) if "views" in given else defaults


def _checked(item: Item, given: Mapping[str, Any]) -> Item:
    sources = [name for name in ("image", "views", "prompt") if getattr(item, name) is not None]
    if len(sources) != 1:
        raise BadInput(f"has {' and '.join(sources) or 'neither image, views nor prompt'}; give one of them")
    if item.rig is not None and item.views is None:
        raise BadInput("rig belongs to views, which is missing")
    idle = [name for name in DRAWING if item.views is not None and name in given]
    if idle:
        raise BadInput(f"{idle[0]} is about drawing views, but the row gives them in views; leave one out")
    return item


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 4096:
        raise BadInput(f"{_shown(value)} is not a text of 1 to 4096 characters")
    return value


def _value_of(kind: Kind) -> Callable[[object], Any]:
    """Reads a number of this kind, written as such or as text."""

    def read(value: object) -> Any:
        try:
            written = value.replace(",", ".") if isinstance(value, str) and value.count(",") == 1 else value
            found = kind.read(written) if isinstance(value, str) or kind.fits(value) else None
        except (ValueError, OverflowError):
            found = None
        if found is None or not kind.fits(found):
            raise BadInput(f"{_shown(value)} is not {kind.words}")
        return found

    return read


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


_COLUMNS: dict[str, Callable[[object], Any]] = {
    "image": _text,
    "views": _text,
    "prompt": _text,
    "rig": _text,
    "model": _text,
    "seed": _value_of(SEED),
    **{name: _value_of(kind) for name, kind in DRAWING.items()},
}
"""What a list may say, and how each value is read."""
