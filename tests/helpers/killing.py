"""Processes that die at a chosen moment."""

import os
import sys
from collections.abc import Callable


def finished(event: int, work: Callable[[], None]) -> bool:
    """Do ``work`` in a child process that dies, without a word, at its ``event``-th call of the file system.

    True when it came to its end before that. Forks, so ``work`` must not need threads.
    """
    child = os.fork()
    if child == 0:
        _work(event, work)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "the work failed"
    return code == 0


def _work(event: int, work: Callable[[], None]) -> None:
    left = event

    def count(name: str, _: object) -> None:
        nonlocal left
        if name.startswith(("os.", "shutil.", "open", "ctypes.", "fcntl.")):
            left -= 1
            if left < 0:
                os._exit(9)

    try:
        sys.addaudithook(count)
        work()
        os._exit(0)
    finally:
        os._exit(1)
