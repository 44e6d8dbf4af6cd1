"""Where Numba keeps compiled kernels, and a folder for them where it would find none that it can write to.

Numba takes the first of these that can be written to: ``NUMBA_CACHE_DIR``, ``__pycache__`` beside the source, a folder
of the user. With none, it refuses to import any kernel that is to be kept.
"""

import os
import sys
import tempfile
from pathlib import Path

_temporary: tempfile.TemporaryDirectory | None = None


def provide() -> None:
    """See to it that kernels can be kept at least until this process and those that it starts have ended."""
    global _temporary
    if kept_in() is not None:
        return
    try:
        _temporary = tempfile.TemporaryDirectory(prefix="zero123pp-kernels-", ignore_cleanup_errors=True)
    except OSError:
        return  # Numba will say what it misses
    os.environ["NUMBA_CACHE_DIR"] = _temporary.name
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = _temporary.name


def is_temporary() -> bool:
    """Whether kernels are lost when this process ends."""
    return _temporary is not None


def kept_in() -> Path | None:
    """The folder that Numba will choose, or one above it; None where no one that it knows can be written to."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    folders = [Path(named)] if named else []
    folders += [Path(__file__).parent / "__pycache__", _user_folder()]
    return next((folder for folder in folders if _may_write(folder)), None)


def _user_folder() -> Path:
    """What Numba's copy of appdirs says."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "numba" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "numba"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "numba"


def _may_write(folder: Path) -> bool:
    """Whether files can be made in the folder, which may have to be made first."""
    while not os.path.lexists(folder):
        if folder == folder.parent:
            return False
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
