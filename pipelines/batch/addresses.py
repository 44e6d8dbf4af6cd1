"""Where results may go: a folder, or an object store that fsspec knows, such as s3://bucket/results."""

import re
from pathlib import Path

from zero123pp.pipelines.batch.store import Store

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(::|://)")
"""How an address of fsspec begins: its protocol, or the first of a chain of them."""


def absolute(out: str) -> str:
    """``out`` in a form that means the same in every process: an absolute path, or an address as it is."""
    return out if _ADDRESS.match(out) else str(Path(out).absolute())


def open_store(out: str) -> Store:
    """The opened store at ``out``.

    Raises:
        BadInput: it cannot be written to.
        MissingBackend: the library that talks to it is not installed.
    """
    if not _ADDRESS.match(out):
        return Store(out).open()
    from zero123pp.pipelines.batch.object_store import ObjectStore

    return ObjectStore(out).open()
