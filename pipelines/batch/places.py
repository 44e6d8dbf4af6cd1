"""Where a result lies among the others: under a readable name, or under its key."""

import re
import unicodedata
from pathlib import PurePosixPath

LAYOUTS = ("flat", "hashed")
"""flat: ``toy.glb``, for people; hashed: ``ab/abcdef....glb``, for millions and for object stores."""

FLAT_ITEMS = 100_000
"""Lists of more rows are laid out hashed where nobody says: a folder of so many files is slow to list."""

_LONGEST = 100
_TAKEN = re.compile(r"(index|contact_sheet)(_\d+|-\d+-of-\d+)*|failed", re.IGNORECASE)
"""Names of a batch's own files and folders."""
_DIGITS = (8, 16)
"""Of the key behind a name that another result has; more where that is taken, too."""


def readable(source: str) -> str:
    """A name for files from the path or the text that an item is made from: one that every file system takes."""
    path = PurePosixPath(source.replace("\\", "/"))
    stem = path.stem if re.fullmatch(r"\.\w{1,5}", path.suffix) else path.name
    plain = unicodedata.normalize("NFC", stem.encode("utf-8", "replace").decode())
    plain = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+', "_", plain).strip("._ ").lstrip("-")
    return plain[:_LONGEST].encode()[: 2 * _LONGEST].decode("utf-8", "ignore") or "item"


def places(key: str, name: str) -> tuple[str, ...]:
    """Where a result may lie, without suffix: under its name, the same with a part of the key, or under the key."""
    flat = () if not name else (name, *(f"{name}-{key[:digits]}" for digits in _DIGITS))
    return (*flat, hashed(key))


def hashed(key: str) -> str:
    """The place of a key in the hashed layout."""
    return f"{key[:2]}/{key}"


def is_taken(name: str) -> bool:
    """Whether a batch has a file or folder of its own by this name."""
    return _TAKEN.fullmatch(name) is not None
