"""The process that makes items: `python -m zero123pp.pipelines.batch.worker`, started by `process.WorkerProcess`.

It takes tasks from a pipe, and ends with its parent. Several tasks of one submission are first prepared together, then
made one after another; the parent is told where one ends and the other begins, and of each outcome as it comes. A maker
that has a ``tell`` gets one by which it can send `job.News` meanwhile.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection

READY, PREPARED = "ready", "prepared"
"""What the worker says beside outcomes: it has started; what its tasks do together is done."""

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
        if hasattr(make, "tell"):
            make.tell = pipe.send
        pipe.send(READY)
        while True:
            tasks = pipe.recv()
            if len(tasks) > 1:
                make.prepare(tasks)
                pipe.send(PREPARED)
            for task in tasks:
                pipe.send(replace(make(task), memory_mb=resident_mb(os.getpid())))
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
