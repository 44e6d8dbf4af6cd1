"""Progress, cost and cancelling of the stages: a callback for libraries, bars for a terminal; time, memory."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zero123pp.errors import BadInput, Cancelled

StageProgress = Callable[[str, float], None]
"""Called with the stage's name and the fraction done, 0 to 1."""
Cancel = Callable[[], bool] | threading.Event
"""Says whether to stop: a function, or an event that is set from another thread."""

_LOOK_SECONDS = 0.1


class Stages:
    """Times the stages of one run and passes their progress on."""

    def __init__(self, progress: StageProgress | None = None) -> None:
        self.seconds: dict[str, float] = {}
        """Wall seconds of each stage that is done."""
        self.cpu_seconds: dict[str, float] = {}
        """Processor seconds of each, over all threads of this process."""
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time one stage; yields the function to call with the fraction done."""

        def report(fraction: float) -> None:
            if self._progress is not None:
                self._progress(name, fraction)

        report(0.0)
        wall, cpu = time.perf_counter(), time.process_time()
        yield report
        self.seconds[name] = round(time.perf_counter() - wall, 3)
        self.cpu_seconds[name] = round(time.process_time() - cpu, 3)
        report(1.0)


@contextmanager
def terminal_bars(enabled: bool) -> Iterator[StageProgress | None]:
    """One bar with its time per stage on stderr; yields None when not ``enabled``."""
    if not enabled:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<8}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, fraction: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=fraction)

        yield report


_LINE_SECONDS = 5.0
"""Between two lines where there is no terminal to draw bars on."""


@contextmanager
def told_progress(quiet: bool = False) -> Iterator[StageProgress | None]:
    """Bars on a terminal, now and then a line elsewhere; yields None when it shall be ``quiet``."""
    if quiet or sys.stderr.isatty():
        with terminal_bars(not quiet) as bars:
            yield bars
    else:
        yield progress_lines(lambda line: sys.stderr.write(f"{line}\n"))


def progress_lines(say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> StageProgress:
    """Tells the progress in lines such as ``fit 40 %, 12 s``, a few seconds apart; short runs say nothing.

    Args:
        say: gets each line.
        clock: seconds.
    """
    start = last = clock()

    def report(name: str, fraction: float) -> None:
        nonlocal last
        now = clock()
        if fraction < 1 and now - last >= _LINE_SECONDS:  # an end is told by what begins after it
            last = now
            say(f"{name} {100 * fraction:.0f} %, {now - start:.0f} s")

    return report


def tell_training(done: float) -> None:
    """How far a training is, 0 to 1, in place on a terminal; silent elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\rtraining {done:6.1%}")
        sys.stderr.flush()


def reset_peak_memory() -> bool:
    """Let `peak_memory_mb` count from now on; False where the system cannot (anything but Linux)."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # proc(5): the peak resident set becomes the current one
    except OSError:
        return False
    return True


def peak_memory_mb() -> int | None:
    """Peak resident memory of this process so far, or since `reset_peak_memory`; MB, None where it is not told."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6) if sys.platform == "darwin" else round(peak / 1e3)


def cancellable(progress: StageProgress | None, cancel: Cancel | None) -> StageProgress:
    """``progress`` (or nothing) that raises Cancelled once ``cancel`` says so. Raises BadInput for another type."""
    asked = getattr(cancel, "is_set", cancel)
    if asked is not None and not callable(asked):
        raise BadInput(f"cancel is a {type(cancel).__name__}; give a function or a threading.Event")

    def tick(stage: str, fraction: float) -> None:
        if asked is not None and asked():
            raise Cancelled(f"cancelled in stage {stage!r}")
        if progress is not None:
            progress(stage, fraction)

    return tick


@contextmanager
def turn(lock: threading.Lock, tick: StageProgress, stage: str) -> Iterator[None]:
    """Hold the lock; waiting for it can be cancelled too."""
    while not lock.acquire(timeout=_LOOK_SECONDS):
        tick(stage, 0.0)
    try:
        yield
    finally:
        lock.release()
