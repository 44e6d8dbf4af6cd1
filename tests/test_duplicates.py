"""Product code says nothing twice: no run of eight equal lines stands in two places."""

from collections import defaultdict
from itertools import pairwise

from import_graph import modules
from paths import ROOT

LONGEST_RUN = 8
"""Equal lines in a row that are too many. Blank lines, comments, imports and lone brackets do not count."""


def _lines(text: str) -> list[tuple[int, str]]:
    """Number and content of each line that says something."""
    said, in_import = [], False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        begins = line.startswith(("import ", "from ")) and " import" in f" {line}"
        if in_import or begins:
            in_import = "(" in line and ")" not in line if begins else ")" not in line
        elif line and not line.startswith("#") and line.strip("()[]{},:"):
            said.append((number, line))
    return said


def runs(texts: dict[str, str], length: int) -> list[str]:
    """Pairs of places where ``length`` lines in a row are equal; the first of each longer run."""
    seen: dict[tuple[str, ...], list[tuple[str, int, int]]] = defaultdict(list)
    for name, text in texts.items():
        lines = _lines(text)
        for start in range(len(lines) - length + 1):
            run = tuple(line for _, line in lines[start : start + length])
            seen[run].append((name, start, lines[start][0]))
    found = {}
    for places in seen.values():
        for (one, first, line), (other, second, other_line) in pairwise(places):
            found[one, other, first, second] = f"{one}:{line} ~ {other}:{other_line}"
    return [text for (one, other, a, b), text in found.items() if (one, other, a - 1, b - 1) not in found]


def test_a_run_is_found_wherever_it_stands():
    block = "\n".join(f"    step_{n}(value, {n})" for n in range(LONGEST_RUN))
    texts = {"a": f"import x\n{block}\n", "b": f"def f():\n{block.replace('    ', '        ')}\n\n{block}\n"}
    assert runs(texts, LONGEST_RUN) == ["a:2 ~ b:2", "b:2 ~ b:11"]
    assert runs(texts, LONGEST_RUN + 1) == []


def test_no_code_stands_twice():
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in modules().values()}
    assert len(texts) > 200
    assert runs(texts, LONGEST_RUN) == []
