"""Whatever a run warns of, the page says what it means."""

import ast
import re

import pytest
from paths import ROOT

from zero123pp.pipelines.viewer.advice import ADVICE, advice

pytestmark = pytest.mark.quick

SOURCES = {
    "pipelines/cutout/methods.py": "_doubts",
    "pipelines/reconstruct.py": "doubts",
    "pipelines/cutout/stray.py": None,
}
"""Where warnings are worded; the function, or all of the file's notes."""


def warnings_in(path, function):
    """The texts that are yielded, appended or called a note, with their gaps filled by a number."""
    tree = ast.parse((ROOT / path).read_text())
    nodes = [tree] if function is None else [n for n in ast.walk(tree) if getattr(n, "name", "") == function]
    for node in (inner for each in nodes for inner in ast.walk(each)):
        text = None
        if isinstance(node, ast.Yield):
            text = node.value
        elif (
            isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append" and "notes" in ast.dump(node.func)
        ):
            text = node.args[0]
        elif isinstance(node, ast.Assign) and "'note'" in ast.dump(node.targets[0]):
            text = node.value
        if isinstance(text, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "7" for part in text.values)
        elif isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value


def test_every_warning_is_explained_and_no_advice_is_left_over():
    found = [text for path, function in SOURCES.items() for text in warnings_in(path, function)]
    assert len(found) >= 7
    assert [text for text in found if not advice(text)] == []
    assert [words for words, _ in ADVICE if not any(re.search(words, text) for text in found)] == []
    assert advice("something new") == ""
