"""Results of an evaluation as files: CSV per object, a Markdown page with means and settings, a contact sheet."""

import argparse
import csv
import io
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from zero123pp import __version__
from zero123pp.machine import processor_name, processors

Row = Mapping[str, float | str]
"""Column name to value; 'object' is the only text."""

_DECIMALS = {
    "CD": 4, "accuracy": 4, "completeness": 4, "IoU": 3, "NC": 3, "NC_both": 3, "PSNR": 2, "SSIM": 3, "watertight": 0,
    "manifold": 0, "components": 0, "faces": 0, "peak_mb": 0, "alpha_IoU": 3, "EffLite0": 4, "LPIPS_alex": 3,
    "LPIPS_vgg": 3, "seen": 3, "bound": 3, "accuracy_seen": 4, "accuracy_hidden": 4, "completeness_seen": 4,
    "completeness_hidden": 4,
}  # fmt: skip
_WHOLE_IN_ROWS = ("watertight", "manifold", "components", "faces")
_ALIGNMENTS = ("yaw", "shape", "icp")


def mean_row(rows: Sequence[Row]) -> Row:
    """Means over all objects, column by column; values that are not numbers (an empty volume) are left out."""
    columns = [name for name in rows[0] if name != "object"]
    means: dict[str, float | str] = {"object": "MEAN"}
    for name in columns:
        values = np.array([row[name] for row in rows], float)
        means[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return means


def suffix(column: str) -> str | None:
    """The alignment that a column's numbers were taken after; None without."""
    last = column.rpartition("_")[2]
    return last if last in _ALIGNMENTS else None


def to_csv(rows: Sequence[Row]) -> str:
    """All rows and their means, four significant digits as the numbers do not bear more."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in [*rows, mean_row(rows)]:
        writer.writerow([value if isinstance(value, str) else f"{value:.4g}" for value in row.values()])
    return text.getvalue()


def to_markdown(
    title: str,
    rows: Sequence[Row],
    failures: Mapping[str, str],
    notes: Sequence[str],
    alignments: Sequence[str] = ("none",),
    *,
    picture: str | None = None,
) -> str:
    """A page with the means, the settings and every object.

    Args:
        title: Heading of the page.
        rows: One for each object that was reconstructed.
        failures: Object to message of those that were not.
        notes: Lines on settings and machine.
        alignments: Those that were measured; more than one get a table of means side by side.
        picture: File name of the contact sheet, relative to the page.
    """
    lines = [f"# {title}", "", *(f"- {note}" for note in notes), ""]
    if failures:
        lines += [f"**{len(failures)} of {len(failures) + len(rows)} objects failed and are not in the means:**", ""]
        lines += [f"- {name}: {message}" for name, message in failures.items()] + [""]
    if rows:
        means = mean_row(rows)
        lines += [f"## Means over {len(rows)} objects", "", *_table([_unaligned(means)], means=True), ""]
        if len(alignments) > 1:
            lines += ["## Means by alignment", "", *_table(_by_alignment(means, alignments), means=True), ""]
        lines += ["## Each object", "", *_table([_unaligned(row) for row in rows]), ""]
    if picture:
        lines += ["## Pictures", "", f"![truth and reconstruction side by side]({picture})", ""]
    return "\n".join(lines)


def methods_to_markdown(
    title: str,
    methods: Mapping[str, Sequence[Row]],
    failures: Mapping[str, str],
    notes: Sequence[str],
    spread: Sequence[str] = (),
    *,
    picture: str | None = None,
) -> str:
    """A page that compares methods on the same objects: means with spread, settings, every object.

    Args:
        title: Heading of the page.
        methods: Name of a method to its rows.
        failures: Object to message of those that are missing.
        notes: Lines on settings and machine.
        spread: Columns whose standard deviation over the objects is told as well.
        picture: File name of the contact sheet, relative to the page.
    """
    lines = [f"# {title}", "", *(f"- {note}" for note in notes), ""]
    if failures:
        lines += [f"**{len(failures)} failed and are not in the means:**", ""]
        lines += [f"- {name}: {message}" for name, message in failures.items()] + [""]
    if methods:
        count = max(map(len, methods.values()))
        lines += [f"## Means over {count} objects", "", *_table(_method_means(methods, spread), means=True), ""]
    for name, rows in methods.items():
        lines += [f"## {name}", "", *_table(list(rows)), ""]
    if picture:
        lines += ["## Pictures", "", f"![input, truth and what each method draws]({picture})", ""]
    return "\n".join(lines)


def methods_to_csv(methods: Mapping[str, Sequence[Row]]) -> str:
    """All rows and the means of each method, with the method's name in front."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", *next(iter(methods.values()))[0]])
    for name, rows in methods.items():
        for row in [*rows, mean_row(rows)]:
            writer.writerow([name, *(value if isinstance(value, str) else f"{value:.4g}" for value in row.values())])
    return text.getvalue()


def method_lines(methods: Mapping[str, Sequence[Row]], spread: Sequence[str] = ()) -> list[str]:
    """The means as lines for a terminal."""
    wide = max(map(len, methods)) + 2
    return [
        f"{row['method']:<{wide}}" + "  ".join(f"{key} {_cell(key, row[key], True)}" for key in row if key != "method")
        for row in _method_means(methods, spread)
    ]


def _method_means(methods: Mapping[str, Sequence[Row]], spread: Sequence[str]) -> list[Row]:
    table: list[Row] = []
    for name, rows in methods.items():
        means = mean_row(rows)
        line: dict[str, float | str] = {"method": name} | {key: means[key] for key in means if key != "object"}
        for column in spread:
            deviation = float(np.std([row[column] for row in rows]))
            line[column] = f"{_cell(column, means[column], True)} ± {_cell(column, deviation, True)}"
        table.append(line)
    return table


def options_of(args: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The options of a run that differ from the parser's defaults, as they can be typed; folders without their path."""
    words = []
    for key, value in vars(args).items():
        if key in ("meshes", "out", "name") or value == parser.get_default(key):
            continue
        option = "--" + key.replace("_", "-")
        several = next(action for action in parser._actions if action.dest == key).nargs == "+"
        values = [" ".join(map(_shown, value))] if several else value if isinstance(value, list) else [value]
        words += [option] if value is True else [f"{option} {_shown(each)}" for each in values]
    return words


def _shown(value: object) -> str:
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)


def _unaligned(row: Row) -> Row:
    return {name: value for name, value in row.items() if suffix(name) is None}


def _by_alignment(means: Row, alignments: Sequence[str]) -> list[Row]:
    """One row for each alignment, with the columns that depend on it."""
    measured = [name.removesuffix(f"_{alignments[-1]}") for name in means if suffix(name) == alignments[-1]]
    return [
        {"alignment": align} | {name: means[name if align == "none" else f"{name}_{align}"] for name in measured}
        for align in alignments
    ]


def _table(rows: Sequence[Row], *, means: bool = False) -> list[str]:
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(_cell(name, row[name], means) for name in columns) + " |")
    return lines


def _cell(name: str, value: float | str, mean: bool) -> str:
    if isinstance(value, str):
        return value
    if not np.isfinite(value):
        return "-" if np.isnan(value) else str(value)
    if mean and name in _WHOLE_IN_ROWS:
        return f"{value:.4g}"
    decimals = 3 if name.startswith("F") else _DECIMALS.get(name, 2)
    return f"{value:.{decimals}f}"


def machine() -> str:
    """One line: processor, cores this process may use, memory, load, versions of what decides speed and results."""
    parts = [f"{processor_name()}, {len(processors())} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB")
    if hasattr(os, "getloadavg"):
        parts.append(f"load average {os.getloadavg()[0]:.1f} when the table was written")
    parts.append(f"{platform.system()} {platform.machine()}")
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {_version(name)}" for name in ("numpy", "numba", "scikit-image")]
    return ", ".join([*parts, f"zero123pp {__version__}"])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
