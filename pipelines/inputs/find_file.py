r"""Files by the names that lists and camera files give them, also such as other systems wrote.

Windows writes ``pics\one.png`` and does not tell ``.png`` from ``.PNG``; macOS takes letters with accents apart.
"""

import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath


def spellings(text: str) -> tuple[str, ...]:
    """The path as it was written, and with the slashes of this system."""
    slashed = text.replace("\\", "/")
    return (text,) if slashed == text else (text, slashed)


def find_file(home: Path, text: str) -> Path | None:
    """The file below ``home`` that ``text`` names: as it is written, else the only one that is spelled alike.

    Links are not resolved, and a path that goes up or begins at the root is never looked for: callers check where the
    result leads. None when there is no such file, or more than one.
    """
    for written in spellings(text):
        parts = PurePosixPath(written).parts
        if parts and not {"..", "/"} & set(parts):
            found = [path for path in _alike(home, parts) if path.is_file()]
            if len(found) == 1:
                return found[0]
    return None


def _alike(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """What is there under ``parts``, each part as it is written or, where there is none such, spelled alike."""
    if not parts:
        yield folder
        return
    first, *rest = parts
    exact = folder / first
    try:
        names = [first] if os.path.lexists(exact) else _names(str(folder), os.stat(folder).st_mtime_ns).get(_key(first))
    except (OSError, ValueError):
        return
    for name in names or ():
        yield from _alike(folder / name, tuple(rest))


@lru_cache(maxsize=64)
def _names(folder: str, mtime_ns: int) -> dict[str, list[str]]:
    """The names in a folder by their `_key`; read again when the folder has changed."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        found.setdefault(_key(name), []).append(name)
    return found


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
