"""The table of options in docs/models.md: `python -m zero123pp.pipelines.commands.options_page docs/models.md`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.files import write_file
from zero123pp.options import SWITCH, Option, any_of, flag, options_of
from zero123pp.pipelines.inputs import Source
from zero123pp.pipelines.models import Generation, ModelOptions

BEGIN, END = "<!-- options: begin -->", "<!-- options: end -->"
"""What stands between these lines of a page is written by this module."""


def table() -> str:
    """All options of the diffusion models, as Markdown."""
    lines = ["| flag | field | given to | default | what | belongs to |", "|---|---|---|---|---|---|"]
    for record, place in ((Source, "each call"), (Generation, "each call"), (ModelOptions, "`from_pretrained`")):
        rows = [each for each in options_of(record) if record is not Source or each.group]
        lines += [_row(each, place) for each in rows]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """The page with the table as it is now; BadInput when the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadInput(f"the page has no lines {BEGIN} and {END} for the table to stand between")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(argv: Sequence[str]) -> None:
    """Write the table into each page."""
    for name in argv:
        path = Path(name)
        write_file(path, with_table(path.read_text(encoding="utf-8")))


def _row(each: Option, place: str) -> str:
    value = "" if each.kind is SWITCH else " " + ("|".join(each.kind.choices) or each.metavar or "VALUE")
    default = each.default_words or ("off" if each.default is False else each.default or "")
    needs = any_of(each.needs, lambda name: f"`{flag(name)}`") if each.needs else ""
    needs = f"one way to give {each.instead}" if each.instead else needs
    cells = (f"`{each.flag}{value}`" if each.flag else "", f"`{each.name}`", place, str(default), each.help, needs)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
