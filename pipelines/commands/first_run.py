"""Kernels that have to be compiled before they can run: told, and compiled by another process meanwhile.

Numba compiles one kernel at a time in a process, whatever the number of threads; it looks into its cache on disk at the
first call of each kernel. So another process compiles those that this one needs last, and this one finds them there.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import zero123pp
from zero123pp import kernel_cache
from zero123pp.machine import processors

ONCE = "compiling kernels, once (later runs start at once)"
EACH_TIME = (
    "compiling kernels, for this run only: no folder can be written to keep them; "
    "NUMBA_CACHE_DIR can name one, see docs/reproducibility.md"
)


@contextmanager
def compiled_kernels(first: Callable[[], None] = lambda: None) -> Iterator[dict[str, float]]:
    """The kernels that are compiled meanwhile, by name, and the seconds each took with those that it calls.

    ``first`` is called when the first one begins. Kernels that come from the cache do not count.
    """
    from numba.core import event

    compiled: dict[str, float] = {}
    running: list[tuple[str, float]] = []  # Numba compiles under a lock

    class Listener(event.Listener):
        def on_start(self, event: "event.Event") -> None:
            function = event.data["dispatcher"].py_func
            running.append((f"{function.__module__}.{function.__name__}", time.perf_counter()))
            if not compiled and len(running) == 1:
                first()

        def on_end(self, event: "event.Event") -> None:
            name, start = running.pop()
            if not running:
                compiled[name] = round(time.perf_counter() - start, 3)

    listener = Listener()
    event.register("numba:compile", listener)
    try:
        yield compiled
    finally:
        event.unregister("numba:compile", listener)


@contextmanager
def compiling_told(say: Callable[[str], None], needed_last: Sequence[str]) -> Iterator[None]:
    """Tell when kernels have to be compiled, and let another process compile some of them.

    Args:
        say: gets one line when the first kernel is compiled.
        needed_last: names from `zero123pp.pipelines.commands.exercises`, for the other process.
    """
    helpers: list[subprocess.Popen] = []

    def first() -> None:
        say(EACH_TIME if kernel_cache.is_temporary() else ONCE)
        if len(processors()) > 1 and sys.executable:
            with suppress(OSError):  # without it the run only takes longer
                helpers.append(start_exercises(needed_last))

    try:
        with compiled_kernels(first):
            yield
    finally:
        for helper in helpers:
            helper.kill()  # kernels appear in the cache whole or not at all
            helper.communicate()


def start_exercises(names: Sequence[str], errors: int = subprocess.DEVNULL) -> subprocess.Popen:
    """A process that runs the exercises, one after another."""
    path = [str(Path(zero123pp.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "zero123pp.pipelines.commands.exercises", *names],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
    )  # fmt: skip
