"""The table of a batch in its two forms: the same rows, types kept, and nothing that a reader runs or chokes on."""

import csv
import sys

import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.batch import index
from zero123pp.pipelines.batch.items import Shard

pytestmark = pytest.mark.quick

ALL = Shard.parse("1/1")


def row(number, **more):
    empty = dict.fromkeys(index.COLUMNS)
    return empty | {"row": number, "source": f"{number}.png", "seed": 0, "model": "preview", "status": "open"} | more


TABLE = [
    row(
        0, status="done", key="ab12", glb="ab/ab12.glb", bytes=2**40, faces=9998, watertight=True, iou=0.9712,
        seconds=3.5,
    ),
    row(1, status="failed", reason='=HYPERLINK("http://x")'),
    row(2, source="\udcff\udc80.png", reason="a, \"quoted\" reason\nof two lines"),
]  # fmt: skip


def test_parquet_has_the_rows_of_the_csv_and_their_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    files = index.write_index(TABLE, tmp_path, ALL)
    assert [path.name for path in files] == ["index.csv", "index.parquet"]
    found = parquet.read_table(tmp_path / "index.parquet")
    assert found.column_names == list(index.COLUMNS)
    assert [str(kind) for kind in found.schema.types] == [
        {int: "int64", str: "string", bool: "bool", float: "double"}[kind] for kind in index.COLUMNS.values()
    ]
    first, second, third = found.to_pylist()
    assert first == TABLE[0] and second == TABLE[1]  # values, not spreadsheets' formulas: no quote is put before
    assert third["source"] == "\\udcff\\udc80.png" and third["reason"] == TABLE[2]["reason"]
    with open(tmp_path / "index.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [each["row"] for each in rows] == ["0", "1", "2"] and rows[2]["source"] == third["source"]
    assert rows[1]["reason"].startswith("'=")


def test_many_rows_and_none(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(index, "_PARQUET_ROWS", 7)
    index.write_index([row(number) for number in range(20)], tmp_path, ALL)
    assert parquet.read_table(tmp_path / "index.parquet").column("row").to_pylist() == list(range(20))
    index.write_index([], tmp_path, ALL)
    assert parquet.read_table(tmp_path / "index.parquet").num_rows == 0


def test_without_pyarrow_there_is_the_csv(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(index.importlib.util, "find_spec", lambda name: None)
    assert [path.name for path in index.write_index(TABLE, tmp_path, Shard.parse("2/3"))] == ["index-2-of-3.csv"]


def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch):
    index.write_index(TABLE, tmp_path, ALL)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(table, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index, "_write_csv", full)
    with pytest.raises(BadInput, match="the disk is full"):
        index.write_index(TABLE[:1], tmp_path, ALL)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["index.csv", "index.parquet", "index.html"])
def test_a_file_that_no_batch_wrote_is_told_before_any_work(tmp_path, name):
    pytest.importorskip("pyarrow")
    index.check_tables(tmp_path, ALL)
    index.write_index(TABLE, tmp_path, ALL)
    index.check_tables(tmp_path, ALL)
    (tmp_path / name).write_bytes(b"image,price\n")
    with pytest.raises(BadInput, match=f"{name} was not written by"):
        index.check_tables(tmp_path, ALL)
