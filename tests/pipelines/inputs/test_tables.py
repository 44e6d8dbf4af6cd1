"""Lists as spreadsheets write them."""

import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.tables import csv_rows, text_lines

pytestmark = pytest.mark.quick
KNOWN = ("image", "seed", "prompt")
ROWS = [["image", "seed"], ["Müller €.png", "1"], ["b.png", ""]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_encodings_and_line_ends(tmp_path, delimiter, encoding, end):
    path = tmp_path / "list.csv"
    path.write_bytes("".join(delimiter.join(row) + end for row in ROWS).encode(encoding))
    assert list(csv_rows(path, KNOWN)) == ROWS


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("sep=;\nimage;seed\na.png;1\n", [["image", "seed"], ["a.png", "1"]]),
        ("Image; SEED ;;\na.png;1;;\n", [["image", "seed"], ["a.png", "1", "", ""]]),
        ('"image";"seed"\n"a;b.png";"1"\n', [["image", "seed"], ["a;b.png", "1"]]),
        ("image\na;b,c.png\n", [["image"], ["a;b", "c.png"]]),  # one column says nothing: the comma it is
        ("", [[]]),
    ],
)
def test_what_spreadsheets_add(tmp_path, text, rows):
    path = tmp_path / "list.csv"
    path.write_text(text, newline="")
    assert list(csv_rows(path, KNOWN)) == rows


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_bytes(b"{}\n\x81\n")
    lines = text_lines(path)
    assert next(lines) == "{}\n"
    with pytest.raises(BadInput, match=r"line 2 is text of another encoding .*; save the list as UTF-8"):
        next(lines)
