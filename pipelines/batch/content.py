"""Digests of whole files and folders, each file read once by a process for as long as it stays the same."""

import hashlib
from functools import cache
from pathlib import Path


def content_digest(path: Path) -> str:
    """Of a file's content, or of the names and contents of all files of a folder; 64 hexadecimal digits.

    Raises:
        OSError: something cannot be read.
    """
    if not path.is_dir():
        return _file_digest(path)
    digest = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        digest.update(f"{file.relative_to(path)}\0{_file_digest(file)}\0".encode())
    return digest.hexdigest()


def _file_digest(file: Path) -> str:
    found = file.stat()
    return _read(str(file.resolve()), found.st_size, found.st_mtime_ns, found.st_ino)


@cache
def _read(file: str, size: int, mtime_ns: int, inode: int) -> str:
    """The digest of a file's content; what else is asked with tells a file that was replaced from the one it was."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
