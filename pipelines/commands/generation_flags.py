"""Tables of options as flags of the command line, and back: what was typed, checked, in the words it was typed in."""

import argparse
from collections.abc import Callable
from typing import Any

from zero123pp.options import SWITCH, Kind, Option, check_together, check_values, flag, options_of
from zero123pp.pipelines.inputs import Source, check_no_drawing, check_source, check_text_control
from zero123pp.pipelines.models import Generation, ModelOptions

DRAWING = (Generation, ModelOptions)
"""What is about drawing views."""


def add_table(parser: argparse.ArgumentParser, *records: type, under_headings: bool = False) -> None:
    """A flag for each option of the records that the main job alone has, of those under headings or of the others.

    All default to None or False, so that `typed` can tell.
    """
    groups: dict[str, Any] = {"": parser}
    for each in options_of(*records):
        if each.flag and not each.is_shared and bool(each.group) == under_headings:
            if each.group not in groups:
                groups[each.group] = parser.add_argument_group(each.group)
            add_flag(groups[each.group], each)


def add_flag(parser: Any, each: Option, of: str = "") -> None:
    """The flag of one option; ``of`` says whose value it is."""
    if each.kind is SWITCH:
        parser.add_argument(each.flag, action="store_true", help=each.help)
        return
    default = each.default_words or each.default
    words = f"{each.help}{of}" + (f" (default: {default})" if default is not None and default != "" else "")
    parser.add_argument(
        each.flag,
        type=reader(each.kind),
        choices=each.kind.choices or None,
        metavar=each.metavar,
        help=words.replace("%", "%%"),
    )


def reader(kind: Kind) -> Callable[[str], Any]:
    """Reads a value of that kind for argparse; texts are left to `check`, and choices to argparse itself."""

    def read(text: str) -> Any:
        try:
            value = kind.read(text)
        except ValueError:
            value = None
        if value is None or not kind.fits(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind.words}")
        return value

    return str if kind.read is str else read


def typed(args: argparse.Namespace, *records: type) -> dict[str, Any]:
    """What was typed of the records' options, by their names in the library."""
    values = {each.name: getattr(args, each.name, None) for each in options_of(*records)}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def check(args: argparse.Namespace) -> None:
    """BadInput for flags of the main job that do not go together."""
    source, drawing = typed(args, Source), typed(args, *DRAWING)
    drawing.pop("device", None)  # has a default, and is about the machine
    check_source(source, flag)
    if "views" in source:
        check_no_drawing([*drawing, *(["model"] if args.model != "auto" else [])], flag)
    check_text_control({*source, *drawing}, flag)
    options = options_of(Source, *DRAWING)
    check_values(source | drawing, options, flag)
    check_together({*source, *drawing}, options, flag)
