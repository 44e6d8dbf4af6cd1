"""The results in an object store, by fsspec: the same names as in a folder, each an object that appears whole.

An object takes its name when its upload ends, so there are no temporary files, and the JSON is put last, as ever. There
are no locks: nobody can claim an item, so runs at the same time must not overlap (``--shard``); where they do, the work
is done twice and results are whole all the same.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.batch.store import FAILED, SUFFIXES, Store

INSTALL = "pip install 'zero123pp[s3]'"


class ObjectStore(Store):
    """See `zero123pp.pipelines.batch.store.Store`; ``out`` is an address such as s3://bucket/results."""

    def __init__(self, out: str, layout: str = "hashed") -> None:
        self.address, self.layout = out.rstrip("/"), layout
        self._names = {}

    def open(self) -> "ObjectStore":
        """Connect, and see that objects can be written; BadInput when not, MissingBackend without its library."""
        try:
            from fsspec.core import url_to_fs

            self._system, self._root = url_to_fs(self.address, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            raise MissingBackend(f"{self.address}: {error}; {INSTALL} brings what s3:// needs") from error
        except Exception as error:  # each of these libraries has errors of its own
            raise BadInput(f"cannot use {self.address}: {_line(error)}; see fsspec for the addresses") from error
        if hasattr(self._system, "auto_mkdir"):  # file://
            self._system.auto_mkdir = True
        probe = f".{secrets.token_hex(8)}.probe"
        self._put(probe, b"")
        self._remove(probe)
        return self

    def close(self) -> None:
        """Nothing is held."""

    def claim(self, key: str) -> bool:
        """True: there are no locks."""
        return True

    def release(self, key: str) -> None:
        """Nothing is held but a name, against the other items of this run."""
        self._names.pop(key, None)

    def _held(self, offset: int) -> bool:
        return True

    def _elsewhere(self, key: str) -> Iterator[str]:
        return iter(())

    def _may_take(self, key: str, name: str) -> bool:
        """Whether no other result has the name; nobody can claim it."""
        return all(self._size(f"{name}{suffix}") is None for suffix in SUFFIXES)

    def clean(self) -> int:
        """0: nothing half-written ever has a name."""
        return 0

    def forgive(self, key: str) -> None:
        """Forget that an item was given up."""
        self._remove(f"{FAILED}/{key}.json")

    @contextmanager
    def tables(self) -> Iterator[Path]:
        """A folder on this machine, whose files are uploaded in the end."""
        with TemporaryDirectory() as folder:
            yield Path(folder)
            for path in sorted(Path(folder).iterdir()):
                self._put(path.name, path.read_bytes())

    def _read(self, name: str) -> bytes | None:
        with self._errors("read"), suppress(FileNotFoundError):
            return self._system.cat_file(f"{self._root}/{name}")
        return None

    def _size(self, name: str) -> int | None:
        with self._errors("read"), suppress(FileNotFoundError):
            return self._system.info(f"{self._root}/{name}")["size"]
        return None

    def _put(self, name: str, content: bytes) -> None:
        with self._errors("write"):
            self._system.pipe_file(f"{self._root}/{name}", content)

    def _remove(self, name: str) -> None:
        with self._errors("remove"), suppress(FileNotFoundError):
            self._system.rm_file(f"{self._root}/{name}")

    def _sync(self, folder: str) -> None:
        pass

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each of these libraries has errors of its own
            said = _line(error)
            is_busy = "request rate" in said or "SlowDown" in said
            do = "use fewer --workers, or wait" if is_busy else "look at its name and rights"
            raise BadInput(f"cannot {what} in {self.address}: {said}; {do}") from error


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
