"""Options that stand in one table each: a record's fields say their help, their values, what they need and exclude.

The parser of the command line, the checks of the library and the table in docs/models.md are made from these fields.
Imports nothing heavy.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeVar

from zero123pp.errors import BadInput

Record = TypeVar("Record")
Spelling = Callable[[str], str]
"""How the user spells an option: `str` in the library, `flag` on the command line."""


@dataclass(frozen=True)
class Kind:
    """What values an option takes."""

    words: str
    """For messages: "expected ..."."""
    fits: Callable[[Any], bool]
    read: Callable[[str], Any] = str
    """From a text; ValueError where it is none of these values."""
    choices: tuple[str, ...] = ()
    """All of its values, where they are few."""


def choice(*names: str) -> Kind:
    """One of some names."""
    return Kind(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names, choices=names)


def whole(lowest: int, highest: int) -> Kind:
    """A whole number within bounds."""
    return Kind(f"a whole number from {lowest} to {highest}", lambda value: _is(value, Integral, lowest, highest), int)


MAX_SEED = 2**63 - 1

SEED = whole(0, MAX_SEED)
"""What fixes random choices, wherever one is asked for."""


def number(lowest: float, highest: float) -> Kind:
    """A number within bounds."""
    return Kind(f"a number from {lowest} to {highest}", lambda value: _is(value, Real, lowest, highest), float)


def interval(lowest: float, highest: float) -> Kind:
    """Two ascending numbers within bounds, written with a comma between them."""

    def fits(value: Any) -> bool:
        pair = value if isinstance(value, tuple | list) else ()
        return len(pair) == 2 and all(_is(each, Real, lowest, highest) for each in pair) and pair[0] <= pair[1]

    return Kind(
        f"two ascending numbers from {lowest} to {highest}, as {lowest},{highest}",
        fits,
        lambda text: tuple(float(part) for part in text.split(",")),
    )


def _is(value: Any, kind: type, lowest: float, highest: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and lowest <= value <= highest


def _is_picture(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else not isinstance(value, Real)


def _is_mesh(value: Any) -> bool:
    from zero123pp.types import Part

    if isinstance(value, str | PathLike):
        return PATH.fits(value)
    parts = value if isinstance(value, list | tuple) else [value]
    return bool(parts) and all(isinstance(part, Part) for part in parts)


SWITCH = Kind("True or False", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str) and bool(value.strip()))
PATH = Kind("a path or a name", lambda value: bool(str(value).strip()) and isinstance(value, str | PathLike))
MESH = Kind("the path of a mesh, or meshes", _is_mesh)
PICTURE = Kind("a picture or a path", _is_picture)
"""Those who read it look closer."""
ANYTHING = Kind("anything", lambda value: True)
"""Those who use it look at it: types of torch."""


@dataclass(frozen=True)
class Option:
    """One row of a table of options."""

    name: str
    """In the library."""
    default: Any
    help: str
    kind: Kind
    metavar: str | None = None
    """Of its value in the help."""
    default_words: str = ""
    """What the default means, where it does not speak for itself."""
    needs: tuple[str, ...] = ()
    """It means nothing unless one of these is given."""
    instead: str = ""
    """Options that name the same thing here exclude each other: each is a way to say it."""
    group: str = ""
    """Heading in the command line's help."""
    as_flag: str | None = None
    """Its flag where that is not spelled like its name; '' where it has none."""
    is_shared: bool = False
    """Whether its flag is one that several commands have."""
    is_column: bool = False
    """Whether a row of a batch may have its own value."""

    @property
    def flag(self) -> str:
        """How the command line spells it; '' where it does not have it."""
        return flag(self.name) if self.as_flag is None else self.as_flag

    def is_given(self, value: Any) -> bool:
        """Whether ``value`` is something else than the default."""
        return value is not None if self.default is None else value != self.default


def option(default: Any, help: str, kind: Kind, **more: Any) -> Any:
    """A field of a record that is an `Option`; ``more`` are the other fields of that."""
    return field(default=default, metadata={"option": {"help": help, "kind": kind, **more}})


@cache
def options_of(*records: type) -> tuple[Option, ...]:
    """The table: the options among the fields of some records."""
    return tuple(
        Option(each.name, each.default, **each.metadata["option"])
        for record in records
        for each in fields(record)
        if "option" in each.metadata
    )


def flag(name: str) -> str:
    """How the command line spells an option."""
    return "--" + name.replace("_", "-")


def given_of(values: Mapping[str, Any], *records: type) -> dict[str, Any]:
    """What ``values`` say of the records' options beside their defaults."""
    options = options_of(*records)
    return {each.name: values[each.name] for each in options if each.is_given(values.get(each.name, each.default))}


def record_from(record: type[Record], values: Mapping[str, Any], *elsewhere: type) -> Record:
    """The record of the values.

    Raises:
        BadInput: an unknown name (one that ``elsewhere`` has is told where it belongs), a wrong value, options that do
            not go together.
    """
    known = {each.name for each in fields(record)}
    for name in values:
        if name in known:
            continue
        for other in elsewhere:
            if name in {each.name for each in fields(other)}:
                raise BadInput(f"{name} is {(other.__doc__ or '').split(',')[0].lower()}, not here")
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
        raise BadInput(f"unknown option {name!r}; {hint}")
    return record(**values)


def check_values(values: Mapping[str, Any] | object, options: Iterable[Option], spelled: Spelling = str) -> None:
    """BadInput for a value of the wrong kind."""
    values = vars(values) if is_dataclass(values) else values
    for each in options:
        value = values.get(each.name, each.default)
        if value is not each.default and not each.kind.fits(value):
            is_empty = isinstance(value, str) and not value.strip()
            shown = "empty" if is_empty else _shown(value)
            raise BadInput(f"{spelled(each.name)} is {shown}; expected {each.kind.words}")


def check_together(given: Collection[str], options: Iterable[Option], spelled: Spelling = str) -> None:
    """BadInput for options that exclude each other, or that need one which is not given.

    Args:
        given: names of those that were given.
        options: all that the caller can see; what an option needs among others is for others to check.
        spelled: see `Spelling`.
    """
    options = tuple(options)
    visible = {each.name for each in options}
    for subject in dict.fromkeys(each.instead for each in options if each.instead):
        ways = [spelled(each.name) for each in options if each.instead == subject and each.name in given]
        if len(ways) > 1:
            raise BadInput(f"{' and '.join(ways)} given together; {subject} can come from one of them only")
    for each in options:
        if each.name in given and visible.issuperset(each.needs) and each.needs and not set(each.needs) & set(given):
            raise BadInput(f"{spelled(each.name)} belongs to {any_of(each.needs, spelled)}, which is missing")


def any_of(names: Iterable[str], spelled: Spelling = str) -> str:
    """The names with "or" before the last."""
    *first, last = [spelled(name) for name in names]
    return f"{', '.join(first)} or {last}" if first else last


def _shown(value: Any) -> str:
    text = repr(value) if value is None or isinstance(value, str | PathLike | Real) else f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:80] + "..."
