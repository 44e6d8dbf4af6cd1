"""Files and folders that appear whole or not at all: whoever looks sees the old one or the new one, never a part.

What is new is written beside its target under a temporary name, is complete on the disk before it takes the target's
name, and takes it in one step of the file system. What a killed process left behind is hidden (``.NAME....tmp``).
"""

import errno
import json
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TEMPORARY = r"[0-9a-f]{16}\.tmp"
"""How the names of temporary files and folders end."""


def expanded(path: str | Path) -> Path:
    """The path with the home folder that its ``~`` stands for; as it is, where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def check_folder(path: Path) -> None:
    """BadInput when no file can be written at ``path``: it is a folder, or its folder is missing or read-only."""
    _check_name(path)
    folder = Path(os.path.realpath(path)).parent if os.path.islink(path) else path.parent
    try:
        is_folder = path.is_dir()
    except OSError as error:  # the name is too long, a link points to itself, ...
        raise _refused(path, error) from error
    if is_folder:
        raise BadInput(f"cannot write {path}: it is a folder; name a file in it")
    _check_regular(path)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise BadInput(f"cannot write {path}: folder {folder} {what}; make it first or choose another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write {path}: no permission to write in folder {folder}")


def check_new_folder(folder: str | Path) -> None:
    """BadInput when `whole_folder` could not write ``folder``: a file is in the way, or what is there is read-only."""
    _check_name(folder)
    try:
        home = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.exists())
    except OSError as error:  # the name is too long, a link points to itself, ...
        raise _refused(folder, error) from error
    if not home.is_dir():
        raise BadInput(f"cannot write to {folder}: {home} is a file; choose another folder")
    if not os.access(home, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write to {folder}: no permission to write in folder {home}")


def make_folder(folder: str | Path) -> Path:
    """The folder, made with those above it where it is missing; BadInput when nothing can be written there."""
    _check_name(folder)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise BadInput(f"cannot write to {folder}: it is a file; choose another folder") from error
    except OSError as error:
        raise _refused(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write to {folder}: no permission; choose a folder that you may write to")
    return Path(folder)


def write_file(path: str | Path, content: bytes | str) -> None:
    """Write one file whole, text as UTF-8; its folder is there. BadInput when the folder or the disk refuses."""
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    write_files(path.parent, {path.name: data}, path.name)


def write_json(content: Any, path: str | Path) -> None:
    """Write ``content`` as JSON, whole or not at all; BadInput when the place cannot be written to."""
    check_folder(Path(path))
    write_file(path, json.dumps(content, indent=2, default=str) + "\n")


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
    with ExitStack() as temporary_files, _told(folder / main):
        renames = []
        for name, content in contents.items():
            temporary, target = temporary_files.enter_context(_temporary(folder / name))
            with open(temporary, "xb") as file:  # its permissions follow the umask
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            renames.append((temporary, target))
        for temporary, target in renames:
            os.replace(temporary, target)


@contextmanager
def whole_file(
    path: str | Path, *, shared: bool = False, errors: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[Path]:
    """A name for others to write a file at; it takes the place of ``path`` when the block ends without an error.

    For what `write_file` cannot do: files that are too large to have their bytes in memory.

    Args:
        path: in a folder that is there.
        shared: other processes may write this file at the same time. Else what a killed one left is written over.
        errors: what the writer in the block raises when the folder or the disk refuses.

    Raises:
        BadInput: the folder or the disk refused.
    """
    name = "" if shared else f".{Path(path).name}.tmp"
    with _temporary(Path(path), name) as (temporary, target), _told(path, errors):
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)


@contextmanager
def whole_folder(
    folder: str | Path,
    *,
    owned: Collection[str] | None = None,
    errors: tuple[type[Exception], ...] = (OSError,),
) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``folder`` when the block ends without an error.

    The old folder and the new one change places in one step (``renameat2``). A system without that step puts the old
    one away as ``.NAME.old`` first: should the process die before the new one is there, `recover_folder` brings the old
    one back; the next call does so by itself. A folder that cannot change its name (it is a mount point, holds the
    working directory, or the folder above is read-only) takes its new files one by one, after its old ones are gone: a
    kill within these renames leaves a part of the new, never a mixture.

    Args:
        folder: those above it are made. A link to a folder stays: what it points to is replaced.
        owned: names in ``folder`` that are replaced or removed; all others stay as they are. None: all are.
        errors: what the writer in the block raises when the folder or the disk refuses.

    Raises:
        BadInput: the folder or the disk refused; ``folder`` is as it was.
    """
    folder = Path(folder)
    with _told(folder, errors):
        target = Path(os.path.realpath(folder))
        make_folder(target.parent)
        recover_folder(target)
        if target.exists() and not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        inside = target.is_dir() and not _can_change_its_name(target)
        with _temporary_folder(target / target.name if inside else target) as temporary:
            yield temporary
            if inside:
                _move_in(temporary, target, owned)
                return
            if target.is_dir() and owned is not None:
                for name in sorted(set(os.listdir(target)) - set(owned)):
                    if not _is_temporary(name, target.name):
                        _link(target / name, temporary / name)
            if target.is_dir():
                _take_owner(target, temporary)
            _sync_all(temporary)
            _change_places(temporary, target, owned)


def is_left_behind(path: Path) -> bool:
    """Whether a file is what a killed `write_file` or shared `whole_file` left; hidden files of others are not."""
    return re.fullmatch(rf"\.{_TEMPORARY}", path.name) is not None and path.is_file()


def recover_folder(folder: str | Path) -> None:
    """Bring back what a killed `whole_folder` had put away, on systems where two folders cannot change places."""
    target = Path(os.path.realpath(folder))
    old = _old(target)
    if old.is_dir() and not target.exists():
        os.rename(old, target)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a rename is not there after a power cut until its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(descriptor)


def _check_name(path: str | Path) -> None:
    try:
        if b"\0" not in os.fsencode(path):
            return
        what = "a null character"
    except UnicodeEncodeError as error:
        what = f"a character that file names cannot have: {error.object[error.start]!r}"
    raise BadInput(f"cannot write {str(path)!r}: the name has {what}")


def _check_regular(path: Path) -> None:
    """BadInput for what is there and is no file: a device or a pipe would be gone, and a file in its place."""
    if path.exists() and not path.is_file():
        raise BadInput(f"cannot write {path}: it is a device or a pipe, which would be replaced; name a file")


@contextmanager
def _temporary(path: Path, name: str = "") -> Iterator[tuple[Path, Path]]:
    """A name beside what ``path`` is or links to, a free one unless given, and that; nothing is left at the name."""
    target = Path(os.path.realpath(path))  # through a link: replace what it points to, not the link
    temporary = target.parent / (name or f".{secrets.token_hex(8)}.tmp")
    _check_regular(target)
    try:
        yield temporary, target
    finally:  # also after Ctrl-C
        temporary.unlink(missing_ok=True)


@contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``, locked while this process lives; those that dead ones left are removed."""
    import shutil

    for left in [path for path in target.parent.iterdir() if _is_temporary(path.name, target.name)]:
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            if _lock(descriptor):  # whoever made it is gone
                shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)
    while True:
        temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}.tmp"
        temporary.mkdir()
        with suppress(FileNotFoundError):
            descriptor = os.open(temporary, os.O_RDONLY)
            if _lock(descriptor) is not False and temporary.exists():
                break
            os.close(descriptor)  # another process took it for a dead one's before it was locked
    try:
        yield temporary
    except BadInput as error:  # of whoever fills it; people know the folder by its own name
        raise BadInput(str(error).replace(str(temporary), str(target))) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


def _is_temporary(name: str, target: str) -> bool:
    return name.startswith(f".{target}.") and re.fullmatch(_TEMPORARY, name[len(target) + 2 :]) is not None


def _lock(descriptor: int) -> bool | None:
    """Whether the kernel gave the lock of a folder, which ends with its holder; None where it has no locks."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _can_change_its_name(folder: Path) -> bool:
    working = Path(os.path.realpath(os.curdir))
    return (
        not os.path.ismount(folder)
        and not working.is_relative_to(folder)
        and os.access(folder.parent, os.W_OK | os.X_OK)
    )


def _link(source: Path, target: Path) -> None:
    """The same file, link or folder at a second name."""
    import shutil

    if source.is_symlink() or not source.is_dir():
        _second_name(source, target)
    else:
        shutil.copytree(source, target, symlinks=True, copy_function=_second_name)


def _second_name(source: str | Path, target: str | Path) -> None:
    import shutil

    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # file systems without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def _change_places(new: Path, target: Path, owned: Collection[str] | None) -> None:
    """``target`` becomes ``new``; what ``target`` was is gone, or at ``new``."""
    if not target.exists():
        os.rename(new, target)
    elif _exchange(new, target):
        _bring_back(new, target, owned)
    else:
        import shutil

        old = _old(target)
        shutil.rmtree(old, ignore_errors=True)
        os.rename(target, old)
        os.rename(new, target)
        _bring_back(old, target, owned)
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(target.parent)


def _bring_back(old: Path, target: Path, owned: Collection[str] | None) -> None:
    """What others put into the ``old`` folder, or replaced there, while the new one was made, goes into ``target``."""
    for name in [] if owned is None else set(os.listdir(old)) - set(owned):
        was, now = old / name, target / name
        is_known = os.path.lexists(now) and (was.is_dir() or was.lstat().st_ino == now.lstat().st_ino)
        if not is_known and not _is_temporary(name, target.name):
            os.replace(was, now)


def _take_owner(source: Path, target: Path) -> None:
    """Permissions of another folder, and its owner where the system allows that."""
    said = source.stat()
    target.chmod(said.st_mode & 0o7777)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(target, said.st_uid, said.st_gid)


def _exchange(a: Path, b: Path) -> bool:
    """Two names of one file system change places in one step; False where the system has no such step."""
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(b))


def _old(target: Path) -> Path:
    return target.parent / f".{target.name}.old"


def _move_in(new: Path, folder: Path, owned: Collection[str] | None) -> None:
    """The files of ``new``, which lies in ``folder``, take the place of the owned ones there."""
    import shutil

    _sync_all(new)
    for name in os.listdir(folder) if owned is None else [*owned, *os.listdir(new)]:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            if path != new:
                shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in sorted(new.iterdir()):
        os.rename(path, folder / path.name)
    sync_folder(folder)


def _sync(path: Path) -> None:
    """Put a file's bytes on the disk."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(folder: Path) -> None:
    """Put all files and names under a folder on the disk."""
    for home, _, names in os.walk(folder):
        for name in names:
            path = Path(home, name)
            if path.is_file() and not path.is_symlink():
                with suppress(PermissionError):  # a file of another user that stays as it is
                    _sync(path)
        sync_folder(Path(home))


@contextmanager
def _told(path: str | Path, errors: tuple[type[Exception], ...] = (OSError,)) -> Iterator[None]:
    """What the folder or the disk says, as one clear line."""
    try:
        yield
    except BadInput:
        raise
    except errors as error:
        raise _refused(path, error) from error


def _refused(path: str | Path, error: Exception) -> BadInput:
    """What happened and what to do about it."""
    first: BaseException | None = error
    while first is not None and not isinstance(first, OSError):  # torch says what it met, not what had happened before
        first = first.__cause__ or first.__context__
    code = getattr(first, "errno", None)
    if code in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
        return BadInput(f"cannot write {path}: the disk is full; free some space or choose another folder")
    said = getattr(first, "strerror", None) or " ".join(str(error).split())[:200]
    if code in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return BadInput(f"cannot write {path}: {said}; choose a folder that you may write to")
    return BadInput(f"cannot write {path}: {said}; choose another name or folder")
