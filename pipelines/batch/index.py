"""The table of a batch: one row for each row of the list, in its order, as CSV and (with pyarrow) Parquet."""

import csv
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.files import whole_file
from zero123pp.own import MARK, check_own, check_table
from zero123pp.pipelines.batch.items import Item, Shard
from zero123pp.pipelines.batch.store import Store

COLUMNS = {
    "row": int,
    "source": str,
    "seed": int,
    "model": str,
    "status": str,
    "key": str,
    "glb": str,
    "sha256": str,
    "bytes": int,
    "faces": int,
    "watertight": bool,
    "iou": float,
    "seconds": float,
    "warnings": str,
    "reason": str,
}
"""Column: type of its values; a value that is not known is empty. ``iou`` is the mean silhouette IoU of the views."""

_PARQUET_ROWS = 50_000


def rows(items: Sequence[Item], keys: Sequence[str | None], store: Store) -> Iterator[dict[str, Any]]:
    """The row of each item; status is done, failed or open."""
    for item, key in zip(items, keys):
        row = dict.fromkeys(COLUMNS)
        row |= {"row": item.row, "source": item.source, "seed": item.seed, "model": item.model, "status": "open"}
        row["key"] = key
        result = None if key is None else store.result(key, item.name)
        failure = None if key is None or result is not None else store.failure(key)
        if result is not None:
            row |= _of_result(result)
        elif failure is not None:
            row |= {"status": "failed", "reason": str(failure.get("reason", ""))}
        yield row


def table_name(stem: str, shard: Shard, suffix: str) -> str:
    """The file's name, with the shard's number where there are several."""
    return f"{stem}{suffix}" if shard.count == 1 else f"{stem}-{shard.number}-of-{shard.count}{suffix}"


def check_tables(out: Path, shard: Shard) -> None:
    """BadInput when a table or the contact sheet of a batch would replace a file that no batch wrote."""
    check_own(out / table_name("index", shard, ".html"))
    check_own(out / table_name("index", shard, ".parquet"))
    check_table(out / table_name("index", shard, ".csv"), f"{','.join(COLUMNS)}\n")


def write_index(table: Sequence[dict[str, Any]], out: Path, shard: Shard) -> list[Path]:
    """Write the table; returns the files. BadInput when the disk refuses."""
    writers = {".csv": _write_csv}
    if importlib.util.find_spec("pyarrow") is not None:
        writers[".parquet"] = _write_parquet
    paths = []
    for suffix, write in writers.items():
        paths.append(out / table_name("index", shard, suffix))
        with whole_file(paths[-1], shared=True) as temporary:
            write(table, temporary)
    return paths


def _of_result(result: dict[str, Any]) -> dict[str, Any]:
    report = result.get("report", {})
    mesh, agreed = report.get("mesh", {}), report.get("agreement", {}).get("silhouette_iou")
    return {
        "status": "done",
        **{column: result.get(column) for column in ("glb", "sha256", "bytes", "seconds")},
        "faces": mesh.get("faces"),
        "watertight": mesh.get("watertight"),
        "iou": round(float(np.mean(agreed)), 4) if agreed else None,
        "warnings": "; ".join(report.get("warnings", ())) or None,
    }


def _write_csv(table: Sequence[dict[str, Any]], path: Path) -> None:
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({column: _harmless(value) for column, value in row.items()})


def _harmless(value: Any) -> Any:
    """A text that begins like a formula gets a quote before it: spreadsheets would run it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write_parquet(table: Sequence[dict[str, Any]], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    types = {
        int: pyarrow.int64(),
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        float: pyarrow.float64(),
    }
    schema = pyarrow.schema([(column, types[kind]) for column, kind in COLUMNS.items()], {"program": MARK})
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, max(len(table), 1), _PARQUET_ROWS):
            part = [
                {name: _encodable(value) for name, value in row.items()} for row in table[start : start + _PARQUET_ROWS]
            ]
            writer.write_table(pyarrow.Table.from_pylist(part, schema))


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
