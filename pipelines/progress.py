"""Progress of the stages: a callback for libraries, bars with times for a terminal, silence elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

StageProgress = Callable[[str, float], None]
"""Called with the stage's name and the fraction done, 0 to 1."""


class Stages:
    """Times the stages of one run and passes their progress on."""

    def __init__(self, progress: StageProgress | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time one stage; yields the function to call with the fraction done."""

        def report(fraction: float) -> None:
            if self._progress is not None:
                self._progress(name, fraction)

        report(0.0)
        start = time.perf_counter()
        yield report
        self.seconds[name] = round(time.perf_counter() - start, 3)
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
