"""Where results may go: a folder, or an object store that fsspec knows, such as s3://bucket/results."""

import re
from pathlib import Path

from zero123pp.pipelines.batch.store import Store

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(::|://)")
"""How an address of fsspec begins: its protocol, or the first of a chain of them."""


def absolute(out: str) -> str:
    """``out`` in a form that means the same in every process: an absolute path, or an address as it is."""
    return out if _ADDRESS.match(out) else str(Path(out).absolute())


def is_folder(out: str) -> bool:
    """Whether ``out`` is a folder of this machine, and no address."""
    return not _ADDRESS.match(out)


def open_store(out: str, layout: str = "hashed") -> Store:
    """The opened store at ``out``, one of `LAYOUTS` for new results.

    Raises:
        BadInput: it cannot be written to.
        MissingBackend: the library that talks to it is not installed.
    """
    if not _ADDRESS.match(out):
        return Store(out, layout).open()
    from zero123pp.pipelines.batch.object_store import ObjectStore

    return ObjectStore(out, layout).open()
