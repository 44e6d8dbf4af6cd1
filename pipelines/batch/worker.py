"""The process that makes items: `python -m zero123pp.pipelines.batch.worker`, started by `process.WorkerProcess`.

It takes tasks from a pipe, one at a time, and ends with its parent.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Serve the pipe whose file descriptor is the first argument; the second is the parent's process id."""
    pipe, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    _die_with(parent)
    faulthandler.enable()
    # The parent decides about Ctrl-C; it reaches all processes of a terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        maker_path, settings = pipe.recv()
        module, _, name = maker_path.partition(":")
        make = getattr(import_module(module), name)(settings)
        pipe.send("ready")
        while True:
            outcome = make(pipe.recv())
            pipe.send(replace(outcome, memory_mb=resident_mb(os.getpid())))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the parent is gone or has closed the pipe


def resident_mb(pid: int) -> int:
    """Resident memory of a process, MB; 0 where the system does not tell or the process is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 10**6
    except (OSError, IndexError, ValueError):
        return 0


def _die_with(parent: int) -> None:
    """Be killed when the parent dies, also in the middle of an item. Elsewhere than on Linux: after the item."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main()
