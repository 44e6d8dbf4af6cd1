"""What a run says about itself: ``log.jsonl``, one record a line, and TensorBoard's events when asked for."""

import json
from pathlib import Path
from typing import Any

from zero123pp.files import write_file


def read_log(file: Path) -> list[dict[str, Any]]:
    """The records of a log; a last line that was cut off by a kill is left out."""
    records = []
    for line in file.read_text("utf-8").splitlines() if file.is_file() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def rewind_log(file: Path, step: int) -> None:
    """Drop what was logged after the checkpoint of ``step``: the resumed run says it again."""
    kept = [record for record in read_log(file) if record["step"] <= step]
    write_file(file, "".join(json.dumps(record) + "\n" for record in kept))


def append_log(file: Path, record: dict[str, Any]) -> None:
    """Add a record."""
    with file.open("a", encoding="utf-8") as log:
        log.write(json.dumps(record) + "\n")
