"""What processes died at: a file that kills its reader again and again must not stop a run for ever."""

import json
from contextlib import suppress
from pathlib import Path

from zero123pp.files import make_folder, whole_file

TRIES = 3
"""Deaths at one object after which it is left out. A death may be another's fault, so one is not enough."""


class Attempts:
    """``attempts/000012.json``: what a process has begun of the part it is at; gone with the part, or its error."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "attempts"

    def begin(self, part: int, key: str) -> int:
        """Which try at ``key`` this is, from 1; the earlier ones all ended with the process."""
        counts = self._read(part)
        counts[key] = counts.get(key, 0) + 1
        make_folder(self._folder)
        self._write(part, counts)
        return counts[key]

    def done(self, part: int, key: str) -> None:
        """``key`` did not kill the process."""
        counts = self._read(part)
        counts.pop(key, None)
        self._write(part, counts)

    def end(self, part: int) -> None:
        """The part is whole, or was given up by a process that lives."""
        for file in self._folder.glob(f"*{part:06d}.json*"):  # what a killed process was writing, too
            file.unlink(missing_ok=True)
        with suppress(OSError):  # others are at work there
            self._folder.rmdir()

    def _write(self, part: int, counts: dict[str, int]) -> None:
        with whole_file(self._file(part)) as temporary:  # whose name `end` knows
            temporary.write_text(json.dumps(counts), "utf-8")

    def _read(self, part: int) -> dict[str, int]:
        try:
            return {str(key): int(count) for key, count in json.loads(self._file(part).read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _file(self, part: int) -> Path:
        return self._folder / f"{part:06d}.json"
