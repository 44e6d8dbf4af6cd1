"""The folder of results: each is whole or absent, whatever is killed when.

Layout: ``<out>/<first two digits of the key>/<key>.glb``, ``.png`` (thumbnail) and ``.json``. The JSON is written last
and is the only sign that an item is done, so a run starts by looking for it and needs no journal. Items that cannot be
done have their reason in ``<out>/failed/<key>.json``.

Locks belong to the kernel, which lets go of them when a process dies, so none can be left behind and no clock is
asked: ``.claims`` has one byte a key, held by the run that works on it; ``.writers`` is held by all who may write.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.pipelines.asset import write_json

FAILED = "failed"
_CLEAN_SECONDS = 3.0
"""How long to wait for killed writers to let go of their lock."""


class Store:
    """Results by key."""

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self._claims: int | None = None
        self._writers: int | None = None

    def open(self) -> "Store":
        """Make the folder and join its writers; BadInput when it cannot be made or written to."""
        if "\0" in str(self.out):
            raise BadInput(f"{str(self.out)!r} has a NUL character in it; name a folder")
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / FAILED).mkdir(exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._claims = os.open(self.out / ".claims", flags, 0o666)
            self._writers = os.open(self.out / ".writers", flags, 0o666)
        except OSError as error:
            self.close()
            raise BadInput(f"cannot write to {self.out}: {error.strerror or error}; choose another folder") from error
        _lock(self._writers, fcntl.LOCK_SH)
        return self

    def close(self) -> None:
        """Let go of everything."""
        for descriptor in (self._claims, self._writers):
            if descriptor is not None:
                os.close(descriptor)
        self._claims = self._writers = None

    def __enter__(self) -> "Store":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def path(self, key: str, suffix: str) -> Path:
        """Where a file of a result lies."""
        return self.out / key[:2] / f"{key}{suffix}"

    def result(self, key: str) -> dict[str, Any] | None:
        """What the JSON of a finished item says; None when it is not done."""
        said = _read(self.path(key, ".json"))
        if said is None:
            return None
        try:
            whole = self.path(key, ".glb").stat().st_size == said["bytes"]
        except (OSError, KeyError):
            return None
        return said if whole else None

    def failure(self, key: str) -> dict[str, Any] | None:
        """Why an item was given up; None when it was not."""
        return _read(self.out / FAILED / f"{key}.json")

    def write_result(self, key: str, said: Mapping[str, Any]) -> None:
        """Mark an item as done; its other files are on the disk already."""
        folder = self.path(key, ".json").parent
        sync_folder(folder)
        write_json(said, self.path(key, ".json"))
        sync_folder(folder)

    def quarantine(self, key: str, said: Mapping[str, Any]) -> None:
        """Give an item up, with the reason."""
        write_json(said, self.out / FAILED / f"{key}.json")

    def forgive(self, key: str) -> None:
        """Forget that an item was given up."""
        (self.out / FAILED / f"{key}.json").unlink(missing_ok=True)

    def claim(self, key: str) -> bool:
        """Whether this run may work on an item: no other run does. Claims end with `release` or with the process."""
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except OSError as error:
            # Where there are no locks, two runs may do the same work twice; results stay whole all the same.
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    def release(self, key: str) -> None:
        """End a claim."""
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _offset(key))
        except OSError:
            pass

    def clean(self) -> int | None:
        """Remove what killed writers left behind; the number of files, or None while others are writing."""
        until = time.monotonic() + _CLEAN_SECONDS
        while not _lock(self._writers, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if time.monotonic() > until:
                _lock(self._writers, fcntl.LOCK_SH)
                return None
            time.sleep(0.05)
        left = [*self.out.glob("??/.*.tmp"), *self.out.glob(".*.tmp"), *(self.out / FAILED).glob(".*.tmp")]
        for path in left:
            path.unlink(missing_ok=True)
        _lock(self._writers, fcntl.LOCK_SH)
        return len(left)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a rename is not there after a power cut until its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(descriptor)


def _offset(key: str) -> int:
    return int(key[:15], 16)


def _lock(descriptor: int | None, how: int) -> bool:
    """Whether the lock was given; a file system without locks gives none."""
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
