"""Who imports whom in the product: files as nodes, every import statement as an arrow, wherever it stands in a file."""

import ast
from functools import cache
from pathlib import Path

from paths import ROOT

SOURCES = {"zero123pp": "zero123pp", "recon": "zero123pp.recon", "pipelines": "zero123pp.pipelines",
           "configs": "zero123pp.configs"}  # fmt: skip
"""Folder of the checkout to the name it installs under."""


@cache
def modules() -> dict[str, Path]:
    """Full name to file of every module of the product."""
    found = {}
    for folder, name in SOURCES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([name, *(part for part in parts if part != "__init__")])] = path
    return found


@cache
def imported(path: Path) -> set[str]:
    """Full names that a file imports, as they are written: ``from a import b`` gives ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; import by the full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def arrows() -> dict[str, set[str]]:
    """Module to the modules of the product that it imports."""
    graph = {}
    for name, path in modules().items():
        targets = (target for target in imported(path) if target.split(".")[0] == "zero123pp")
        graph[name] = {_module_of(target) for target in targets} - {name}
    return graph


def _module_of(name: str) -> str:
    """The module that a dotted name leads to: itself, or the one it is an attribute of."""
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def cycles() -> list[list[str]]:
    """Groups of modules that reach each other by imports (strongly connected components of more than one)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names = list(modules())
    index = {name: number for number, name in enumerate(names)}
    pairs = [(index[a], index[b]) for a, targets in arrows().items() for b in targets]
    rows, columns = zip(*pairs)
    graph = coo_matrix(([1] * len(pairs), (rows, columns)), shape=(len(names), len(names)))
    count, label = connected_components(graph, connection="strong")
    groups = [[name for name, own in zip(names, label) if own == each] for each in range(count)]
    return [group for group in groups if len(group) > 1]
