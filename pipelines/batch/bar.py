"""The live line of a batch: how much is settled, at what rate, and how long it will take."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zero123pp.pipelines.batch.driver import BatchTally

_WINDOW = 50
"""Results from which the rate is taken: recent ones, so that it follows a changing load."""
_LINE_SECONDS = 30.0
"""Between two lines where there is no terminal to draw a bar on."""


class Rate:
    """Results a second over the last ones, and the time left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)], maxlen=_WINDOW)

    def add(self, done: int) -> None:
        """Note how many have been made by now."""
        if done > self._marks[-1][1]:
            self._marks.append((self._clock(), done))

    def per_second(self) -> float | None:
        """None before anything was made."""
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - start) if last > first and end > start else None

    def seconds_left(self, open_items: int) -> float | None:
        """None before anything was made."""
        rate = self.per_second()
        return None if rate is None else open_items / rate


def describe(tally: BatchTally, rate: Rate) -> str:
    """One line: '12 of 200 settled (10 made, 2 found), 0 failed, 4.1/min, 45 min left'."""
    parts = [
        f"{tally.settled} of {tally.total} settled ({tally.done} made, {tally.found} found), {tally.failed} failed"
    ]
    per_second, left = rate.per_second(), rate.seconds_left(tally.total - tally.settled)
    if per_second is not None and left is not None:
        parts += [f"{per_second * 60:.1f}/min", f"{duration(left)} left"]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """'45 s', '12 min', '3.5 h' or '2.1 days'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


@contextmanager
def progress_bar(is_terminal: bool) -> Iterator[Callable[[BatchTally], None]]:
    """Yields the function to call with the tally: a bar on a terminal, now and then a line elsewhere."""
    rate = Rate()
    if not is_terminal:
        yield _lines(rate)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=None)

        def show(tally: BatchTally) -> None:
            rate.add(tally.done)
            bars.update(task, total=tally.total, completed=tally.settled, description=describe(tally, rate))

        yield show


def _lines(rate: Rate) -> Callable[[BatchTally], None]:
    last = time.monotonic()

    def show(tally: BatchTally) -> None:
        nonlocal last
        rate.add(tally.done)
        if time.monotonic() - last > _LINE_SECONDS:
            last = time.monotonic()
            sys.stderr.write(describe(tally, rate) + "\n")

    return show
