"""The folder of results: each is whole or absent, whatever is killed when.

A result is ``.glb``, ``.png`` (thumbnail) and ``.json`` under one of the names of `zero123pp.pipelines.batch.places`.
The JSON holds the key; it is written last and is the only sign that an item is done, so a run starts by looking for it
and needs no journal. Items that cannot be done have their reason in ``<out>/failed/<key>.json``.

Locks belong to the kernel, which lets go of them when a process dies, so none can be left behind and no clock is
asked: ``.claims`` has one byte a key and one a readable name, held by the run that works on it; ``.writers`` is held by
all who may write.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.files import is_left_behind, sync_folder, write_file
from zero123pp.own import is_own
from zero123pp.pipelines.batch.places import hashed, places

FAILED = "failed"
SUFFIXES = (".glb", ".png", ".json")
_KEY = re.compile(rb'\s*\{\s*"key": "([0-9a-f]{64})"')
"""How the JSON of a result begins."""
_CLEAN_SECONDS = 3.0
"""How long to wait for killed writers to let go of their lock."""


class Store:
    """Results by key, new ones in one of the layouts of `zero123pp.pipelines.batch.places.LAYOUTS`."""

    def __init__(self, out: str | Path, layout: str = "hashed") -> None:
        self.out, self.layout = Path(out), layout
        self._names: dict[str, str] = {}
        """The readable name that is claimed for a key."""
        self._by_key: dict[str, str] = {}
        self._seen: set[str] = set()
        """What is known of the results with readable names."""
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

    def path(self, key: str, suffix: str, name: str = "") -> Path:
        """Where a file of a finished result lies, or would lie under its key."""
        said = self.result(key, name)
        return self.out / f"{hashed(key) if said is None else said['glb'].removesuffix('.glb')}{suffix}"

    def result(self, key: str, name: str = "") -> dict[str, Any] | None:
        """What the JSON of a finished item says, wherever it lies; None when it is not done.

        Args:
            key: of the item.
            name: its readable name, where it may lie under that.
        """
        for place in chain(places(key, name), self._elsewhere(key)):
            said = _parsed(self._read(f"{place}.json"))
            if said is None or said.get("key") != key or "bytes" not in said:
                continue
            if self._size(f"{place}.glb") == said["bytes"]:
                return said | {"glb": f"{place}.glb"}
        return None

    def _elsewhere(self, key: str) -> Iterator[str]:
        """Where the result of a key lies under the name of another item: the same picture may have two."""
        with os.scandir(self.out) as found:
            new = [entry.name for entry in found if entry.name.endswith(".json") and entry.name not in self._seen]
        for file in new:
            if match := _KEY.match((self._read(file) or b"")[:200]):
                self._by_key[match[1].decode()] = file.removesuffix(".json")
        self._seen.update(new)
        if key in self._by_key:
            yield self._by_key[key]

    def place(self, key: str, name: str, *, is_shared: bool = False) -> str:
        """Where the result of a claimed key goes: the name is its own until `release`.

        Args:
            key: of the item.
            name: its readable name.
            is_shared: another item of the list would have the same one, so neither gets it alone.
        """
        *flat, last = places(key, name)
        if self.layout == "flat":
            for free in flat[is_shared:]:
                if self._claim_name(key, free):
                    return free
        return last

    def failure(self, key: str) -> dict[str, Any] | None:
        """Why an item was given up; None when it was not."""
        return _parsed(self._read(f"{FAILED}/{key}.json"))

    def write(self, place: str, files: Mapping[str, bytes], said: Mapping[str, Any]) -> None:
        """Write a result: its files by their suffix, then ``said`` as the JSON that marks it as done.

        Args:
            place: from `place`.
            files: content by suffix.
            said: JSON-ready, with the 'key' and the 'bytes' of the GLB.

        Raises BadInput or OSError when the place refuses.
        """
        folder = place.rpartition("/")[0]
        for suffix in sorted(files, reverse=True):  # the thumbnail first, see `_may_take`
            self._put(f"{place}{suffix}", files[suffix])
        self._sync(folder)
        self._put(f"{place}.json", _text(said))
        self._sync(folder)

    def quarantine(self, key: str, said: Mapping[str, Any]) -> None:
        """Give an item up, with the reason."""
        self._put(f"{FAILED}/{key}.json", _text(said))

    def forgive(self, key: str) -> None:
        """Forget that an item was given up."""
        (self.out / FAILED / f"{key}.json").unlink(missing_ok=True)

    def has_picture(self, glb: str) -> bool:
        """Whether the result whose GLB is called so has a thumbnail."""
        return self._size(f"{glb.removesuffix('.glb')}.png") is not None

    @contextmanager
    def tables(self) -> Iterator[Path]:
        """A folder whose files are beside the results when this is left."""
        yield self.out

    def claim(self, key: str) -> bool:
        """Whether this run may work on an item: no other run does. Claims end with `release` or with the process."""
        return self._held(_offset(key))

    def release(self, key: str) -> None:
        """End a claim, and that of the name."""
        for offset in (_offset(key), *([_name_offset(self._names.pop(key))] if key in self._names else [])):
            with suppress(OSError):
                fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, offset)

    def _held(self, offset: int) -> bool:
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as error:
            # Where there are no locks, two runs may do the same work twice; results stay whole all the same.
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    def _claim_name(self, key: str, name: str) -> bool:
        """Whether a result may have this name: no other has it, no other run is about to, and no foreign file does."""
        alike = name.casefold()
        if alike in self._names.values() or not self._held(_name_offset(alike)):
            return False
        if not self._may_take(key, name):
            with suppress(OSError):
                fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _name_offset(alike))
            return False
        self._names[key] = alike
        return True

    def _may_take(self, key: str, name: str) -> bool:
        """Whether under the name is nothing, or what is this result's own, or a killed worker's without a JSON.

        A GLB without a thumbnail and a JSON is no killed worker's, but one that a single run made there.
        """
        there = [self.out / f"{name}{suffix}" for suffix in SUFFIXES if os.path.lexists(self.out / f"{name}{suffix}")]
        said = _parsed(self._read(f"{name}.json")) or {}
        if said.get("key") == key:
            return True
        return {path.suffix for path in there} in (set(), {".png"}, {".png", ".glb"}) and all(map(is_own, there))

    def clean(self) -> int | None:
        """Remove what killed writers left behind; the number of files, or None while others are writing."""
        until = time.monotonic() + _CLEAN_SECONDS
        while not _lock(self._writers, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if time.monotonic() > until:
                _lock(self._writers, fcntl.LOCK_SH)
                return None
            time.sleep(0.05)
        found = [*self.out.glob("??/.*.tmp"), *self.out.glob(".*.tmp"), *(self.out / FAILED).glob(".*.tmp")]
        left = [path for path in found if is_left_behind(path)]
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


def _offset(key: str) -> int:
    return int(key[:15], 16)


def _name_offset(name: str) -> int:
    """Beyond those of all keys."""
    return 2**61 + int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)


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
