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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.files import sync_folder, write_file

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
        return self.out / _name(key, suffix)

    def result(self, key: str) -> dict[str, Any] | None:
        """What the JSON of a finished item says; None when it is not done."""
        said = _parsed(self._read(_name(key, ".json")))
        whole = said is not None and "bytes" in said and self._size(_name(key, ".glb")) == said["bytes"]
        return said if whole else None

    def failure(self, key: str) -> dict[str, Any] | None:
        """Why an item was given up; None when it was not."""
        return _parsed(self._read(f"{FAILED}/{key}.json"))

    def write(self, key: str, files: Mapping[str, bytes], said: Mapping[str, Any]) -> None:
        """Write a result: its files by their suffix, then ``said`` as the JSON that marks it as done.

        Raises BadInput or OSError when the place refuses.
        """
        for suffix, content in files.items():
            self._put(_name(key, suffix), content)
        self._sync(key[:2])
        self._put(_name(key, ".json"), _text(said))
        self._sync(key[:2])

    def quarantine(self, key: str, said: Mapping[str, Any]) -> None:
        """Give an item up, with the reason."""
        self._put(f"{FAILED}/{key}.json", _text(said))

    def forgive(self, key: str) -> None:
        """Forget that an item was given up."""
        (self.out / FAILED / f"{key}.json").unlink(missing_ok=True)

    def has_picture(self, key: str) -> bool:
        """Whether a result has a thumbnail."""
        return self._size(_name(key, ".png")) is not None

    @contextmanager
    def tables(self) -> Iterator[Path]:
        """A folder whose files are beside the results when this is left."""
        yield self.out

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

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.out / name).read_bytes()
        except OSError:
            return None

    def _size(self, name: str) -> int | None:
        try:
            return (self.out / name).stat().st_size
        except OSError:
            return None

    def _put(self, name: str, content: bytes) -> None:
        path = self.out / name
        path.parent.mkdir(exist_ok=True)
        write_file(path, content)

    def _sync(self, folder: str) -> None:
        sync_folder(self.out / folder)


def _name(key: str, suffix: str) -> str:
    return f"{key[:2]}/{key}{suffix}"


def _offset(key: str) -> int:
    return int(key[:15], 16)


def _lock(descriptor: int | None, how: int) -> bool:
    """Whether the lock was given; a file system without locks gives none."""
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def _text(said: Mapping[str, Any]) -> bytes:
    return (json.dumps(said, indent=2, default=str) + "\n").encode()


def _parsed(text: bytes | None) -> dict[str, Any] | None:
    try:
        said = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
