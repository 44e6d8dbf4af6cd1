"""The thread that feeds the worker: takes a job, watches its making, tells how it ended.

The worker is the one of batches: a process of its own with a deadline and a limit of memory, which dies with its
parent. One that dies is replaced; each is warmed by a job of the server's own before a visitor's comes.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection

from zero123pp.pipelines.batch import Limits, Outcome, WorkerProcess
from zero123pp.pipelines.server.jobs import Job, Jobs
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import CANCEL, Made, Told, Work

MAKER = "zero123pp.pipelines.server.maker:Maker"
TRIES = 2
"""Of a job whose worker was killed by somebody else."""
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 3.0
"""For a cancelled job to end by itself; then its worker is ended."""
_WARM_WAIT_SECONDS = 5.0
"""After a worker that did not get warm."""


class Dispatcher:
    """One worker and its thread."""

    def __init__(self, jobs: Jobs, settings: ServerSettings, warm: Work | None, *, maker: str = MAKER) -> None:
        self._jobs, self._settings, self._warm_work = jobs, settings, warm
        limits = Limits(deadline_s=settings.deadline_s, memory_mb=settings.memory_mb)
        self._worker = WorkerProcess(settings, limits, maker=maker, on_news=self._on_news)
        self._job: Job | None = None
        self._is_stopping = False
        self.state = "warming"
        """'warming' until the first job of a worker is done, then 'ready'; or 'failed: WHY'."""
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    @property
    def worker_pid(self) -> int | None:
        """Of the worker, while there is one."""
        return self._worker.pid

    def start(self) -> None:
        """Begin, and warm the worker."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker, whatever it does; jobs stay as they are."""
        self._is_stopping = True
        if self._thread.is_alive():
            self._thread.join(10)
        self._worker.stop()

    def _run(self) -> None:
        while not self._is_stopping:
            if not self._worker.is_running and not self._warm():
                self._refuse_meanwhile()
                continue
            job = self._jobs.take(0.3)
            if job is not None:
                self._make(job)

    def _warm(self) -> bool:
        """Let a fresh worker load everything; False where it could not."""
        self.state = "warming"
        if self._warm_work is None:
            self.state = "ready"
            return True
        outcome = self._outcome_of(self._warm_work, lambda: False)
        if isinstance(outcome, Made) and outcome.kind == "done":
            self._jobs.estimates.guess(self._warm_work, outcome)
            self.state = "ready"
        elif not self._is_stopping:
            self.state = f"failed: {outcome.reason}"
        return self.state == "ready"

    def _refuse_meanwhile(self) -> None:
        """A worker that does not get warm makes nothing: who waits is told so, and it is tried again."""
        until = time.monotonic() + _WARM_WAIT_SECONDS
        while time.monotonic() < until and not self._is_stopping:
            job = self._jobs.take(0.3)
            if job is not None:
                self._jobs.end(job, None, f"the worker cannot start ({self.state}); see the server's own messages")

    def _make(self, job: Job) -> None:
        self._job = job
        outcome = self._outcome_of(job.work, lambda: job.is_cancelled)
        self._job = None
        if isinstance(outcome, Made) and outcome.kind == "done":
            self._jobs.end(job, outcome)
        elif job.is_cancelled or self._is_stopping:
            self._jobs.end(job, None)
        elif outcome.kind in ("killed", "lost") and job.tries < TRIES:
            self._jobs.put_back(job)
        else:
            self._jobs.end(job, None, self._why(outcome))

    def _outcome_of(self, work: Work, is_cancelled: Callable[[], bool]) -> Outcome:
        self._worker.submit([work])
        asked: float | None = None
        while True:
            with suppress(OSError, TypeError):
                connection.wait([self._worker.pipe], _POLL_SECONDS)
            outcomes = self._worker.poll()
            if outcomes:
                return outcomes[0]
            if not (is_cancelled() or self._is_stopping):
                continue
            if asked is None:
                asked = time.monotonic()
                with suppress(OSError):
                    os.kill(self._worker.pid, CANCEL)
            elif self._is_stopping or time.monotonic() - asked > _GRACE_SECONDS:
                self._worker.stop()
                return Outcome("cancelled")

    def _on_news(self, news: Told) -> None:
        if self._job is not None:
            self._jobs.told(self._job, news)

    def _why(self, outcome: Outcome) -> str:
        """What a visitor is told, in words that name nothing of this machine."""
        limit = self._settings
        return {
            "refused": outcome.reason,
            "failed": f"an error of this program: {outcome.reason}",
            "deadline": f"it took longer than {limit.deadline_s:g} s and was stopped; try a smaller picture",
            "memory": f"it needed more than {limit.memory_mb} MB and was stopped; try a smaller picture",
            "crashed": "this picture makes the program crash; try to save it again as PNG or JPEG",
            "killed": "its worker was ended from outside, twice; try again",
            "lost": "its worker was ended from outside, twice; try again",
        }.get(outcome.kind, outcome.reason)
