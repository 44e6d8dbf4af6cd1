"""Files that appear whole or not at all."""

import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from zero123pp.errors import BadInput


def check_folder(path: Path) -> None:
    """BadInput when no file can be written at ``path``: it is a folder, or its folder is missing or read-only."""
    folder = path.parent
    if "\0" in str(path):
        raise BadInput(f"cannot write {str(path)!r}: the name has a null character")
    try:
        is_folder = path.is_dir()
    except OSError as error:  # the name is too long, a link points to itself, ...
        raise BadInput(f"cannot write {path}: {_reason(error)}") from error
    if is_folder:
        raise BadInput(f"cannot write {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise BadInput(f"cannot write {path}: folder {folder} {what}; make it first or choose another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write {path}: no permission to write in folder {folder}")


def write_files(folder: Path, contents: Mapping[str, bytes], main: str) -> None:
    """Write files into a folder through temporary ones, which are gone whatever happens.

    Each is complete on the disk before it takes its name; they take their names in the order of ``contents``.

    Args:
        folder: exists.
        contents: the bytes of each file by its name.
        main: name for messages.

    Raises:
        BadInput: the folder or the disk refused; nothing new is left behind unless a rename failed half-way.
    """
    temporary = {name: folder / f".{secrets.token_hex(8)}.tmp" for name in contents}
    try:
        for name, content in contents.items():
            _write(temporary[name], content)
        for name in contents:
            # Through a link: replace what it points to, not the link.
            os.replace(temporary[name], os.path.realpath(folder / name))
    except OSError as error:
        raise BadInput(f"cannot write {folder / main}: {_reason(error)}") from error
    finally:  # also after Ctrl-C
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """A new file with these bytes, on the disk; its permissions follow the umask."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    """What happened and what to do about it."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; free some space or choose another folder"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{error.strerror}; choose a folder that you may write to"
    return f"{error.strerror or error}; choose another name or folder"
