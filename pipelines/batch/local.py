"""Workers on this machine, one process each."""

from collections.abc import Sequence
from multiprocessing import connection
from typing import Protocol

from zero123pp.pipelines.batch.job import BatchSettings, Outcome, Task
from zero123pp.pipelines.batch.process import MAKER, Limits, WorkerProcess, share_of_cores

_POLL_SECONDS = 0.1
"""How often deadlines and memory are looked at."""


class Engine(Protocol):
    """What the driver asks of whatever runs the items. One call in flight for each worker; no retries of its own."""

    def idle(self) -> bool:
        """Whether items can be submitted."""
        ...

    def submit(self, tasks: Sequence[Task]) -> None:
        """Begin items on one worker, which prepares them together and makes them one after another."""
        ...

    def wait(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """The items that have ended; after ``seconds`` at the latest, then possibly none."""
        ...

    def close(self) -> None:
        """Stop everything at once; items under way are abandoned."""
        ...


class LocalEngine:
    """See `Engine`."""

    def __init__(self, settings: BatchSettings, limits: Limits, workers: int, *, maker: str = MAKER) -> None:
        self.workers = [
            WorkerProcess(settings, limits, cores=share_of_cores(index, workers), maker=maker)
            for index in range(workers)
        ]

    def idle(self) -> bool:
        """See `Engine`."""
        return any(not worker.tasks for worker in self.workers)

    def submit(self, tasks: Sequence[Task]) -> None:
        """See `Engine`."""
        next(worker for worker in self.workers if not worker.tasks).submit(tasks)

    def wait(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """See `Engine`."""
        busy = [worker for worker in self.workers if worker.tasks]
        connection.wait([worker.pipe for worker in busy], min(seconds, _POLL_SECONDS))
        ended = []
        for worker in busy:
            tasks = worker.tasks
            ended += zip(tasks, worker.poll())
        return ended

    def close(self) -> None:
        """See `Engine`."""
        for worker in self.workers:
            worker.stop()
