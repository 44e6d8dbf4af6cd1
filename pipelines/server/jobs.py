"""All jobs of a server: who waits, who is made, what is kept and for how long. Everything lies in memory.

A job is found by its id alone, which cannot be guessed; its files by their names in its own dictionary. Nothing that a
request says is ever a path.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from zero123pp.pipelines.server.estimate import Estimates, sort_of
from zero123pp.pipelines.server.work import Made, Told, Work

PENDING, IN_PROGRESS, SUCCEEDED, FAILED, CANCELED = "PENDING", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED"
ENDED = (SUCCEEDED, FAILED, CANCELED)
TURNS = ("cutout", "export", "object")
"""Who waits is taken in this order: people sit before the first two, which are short."""
_REMEMBERED = 1000
"""Idempotency keys."""


class Full(Exception):
    """No further job can be taken now."""


@dataclass(eq=False)
class Job:
    """One job; changed by its `Jobs` only."""

    work: Work | None
    """None once it has ended: what was sent is let go."""
    id: str
    kind: str
    model: str
    status: str = PENDING
    stage: str = "waiting"
    fraction: float = 0.0
    progress: int = 0
    is_cancelled: bool = False
    """Whether the visitor wants it no more."""
    tries: int = 0
    begun: float = 0.0
    ended: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    listeners: list[Callable[[], None]] = field(default_factory=list)

    @property
    def sort(self) -> str:
        """The same for jobs that take about the same time."""
        return sort_of(self)

    @property
    def bytes(self) -> int:
        """What it keeps in memory."""
        return sum(map(len, self.files.values())) + (0 if self.work is None else self.work.bytes)


class Jobs:
    """May be used from any thread."""

    def __init__(
        self, *, queue: int, keep_seconds: float, keep_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue, self._keep_seconds, self._keep_bytes, self._clock = queue, keep_seconds, keep_bytes, clock
        self._lock = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._known: dict[tuple[str, str], str] = {}
        self.estimates = Estimates()

    def add(self, work: Work, idempotency: tuple[str, str] | None = None) -> Job:
        """Take a job.

        Args:
            work: its key is replaced by the new job's id.
            idempotency: the visitor's key and the digest of all that was sent; the same two give the same job.

        Raises:
            Full: too many wait, or too much is kept of those that do.
        """
        with self._lock:
            self._forget_old()
            known = None if idempotency is None else self._jobs.get(self._known.get(idempotency, ""))
            if known is not None:
                return known
            if len(self._waiting) >= self._queue:
                raise Full(f"{len(self._waiting)} jobs are waiting already; try again in a while")
            self._make_room(work.bytes)
            number = secrets.token_hex(16)
            job = Job(replace(work, key=number), number, work.kind, work.model)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._waiting.sort(key=lambda each: TURNS.index(each.kind))  # a stable sort: first come, first served
            if idempotency is not None:
                self._known[idempotency] = job.id
                while len(self._known) > _REMEMBERED:
                    self._known.pop(next(iter(self._known)))
            self._tell(*self._waiting)
            self._lock.notify_all()
            return job

    def get(self, number: str) -> Job | None:
        """The job of that id."""
        with self._lock:
            self._forget_old()
            return self._jobs.get(number)

    def file(self, number: str, name: str) -> bytes | None:
        """Content of a job's file."""
        job = self.get(number)
        return None if job is None else job.files.get(name)

    def take(self, seconds: float) -> Job | None:
        """The next one to be made, now in progress; None when none came in that time."""
        with self._lock:
            if not self._waiting:
                self._lock.wait(seconds)
            if not self._waiting:
                return None
            job = self._waiting.pop(0)
            job.status, job.begun, job.stage, job.tries = IN_PROGRESS, self._clock(), "starting", job.tries + 1
            self._tell(job, *self._waiting)
            return job

    def put_back(self, job: Job) -> None:
        """To be made next, after its worker was lost."""
        with self._lock:
            job.status, job.stage, job.fraction = PENDING, "waiting", 0.0
            self._waiting.insert(0, job)
            self._tell(*self._waiting)
            self._lock.notify_all()

    def told(self, job: Job, news: Told) -> None:
        """The worker said where it stands."""
        with self._lock:
            job.files |= news.files
            job.stage, job.fraction = news.stage, news.fraction
            share = self.estimates.share_done(job.sort, news.stage, news.fraction)
            job.progress = max(job.progress, int(100 * share))
            self._tell(job)

    def end(self, job: Job, made: Made | None, error: str = "") -> None:
        """The job is over: ``made``, or else with an error, or cancelled where neither is given."""
        with self._lock:
            if job.status in ENDED:
                return
            if made is not None:
                job.status, job.progress = SUCCEEDED, 100
                job.files |= made.files
                job.facts = dict(made.facts)
                self.estimates.learn(job.sort, made)
            else:
                job.status, job.error = (FAILED, error) if error else (CANCELED, "")
                job.files.clear()
            job.stage, job.fraction, job.ended, job.work = "", 1.0, self._clock(), None
            self._make_room(0)
            self._tell(job, *self._waiting)

    def cancel(self, job: Job) -> None:
        """The visitor wants it no more; one that is being made ends a little later."""
        with self._lock:
            job.is_cancelled = True
            if job in self._waiting:
                self._waiting.remove(job)
                self.end(job, None)

    def delete(self, job: Job) -> None:
        """Cancel it, and keep nothing of it."""
        self.cancel(job)
        with self._lock:
            self._drop(job)

    def state(self, job: Job) -> dict[str, Any]:
        """What a visitor is told of a job."""
        with self._lock:
            here = f"/v1/jobs/{job.id}"
            urls = {name: f"{here}/files/{name}" for name in job.files}
            return {
                "id": job.id,
                "kind": job.kind,
                "status": job.status,
                "progress": job.progress,
                "stage": job.stage,
                "seconds_left": self._seconds_left(job),
                "position": self._waiting.index(job) + 1 if job in self._waiting else 0,
                "model": job.model,
                "files": urls,
                "model_urls": {"glb": urls["model.glb"]} if "model.glb" in urls and job.status == SUCCEEDED else {},
                "thumbnail_url": urls.get("thumbnail.png"),
                "warnings": job.facts.get("warnings", []),
                **{name: job.facts[name] for name in ("note", "licence", "camera", "mesh") if name in job.facts},
                "task_error": {"message": job.error} if job.error else None,
            }

    def counts(self) -> dict[str, int]:
        """How many wait, are made, and are kept; and the bytes of all."""
        with self._lock:
            self._forget_old()
            made = sum(job.status == IN_PROGRESS for job in self._jobs.values())
            kept = sum(job.bytes for job in self._jobs.values())
            return {"waiting": len(self._waiting), "in_progress": made, "jobs": len(self._jobs), "bytes": kept}

    def listen(self, job: Job, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` (quick, from any thread) at each change; returns what ends that."""
        with self._lock:
            job.listeners.append(listener)

        def stop() -> None:
            with self._lock:
                job.listeners.remove(listener)

        return stop

    def _seconds_left(self, job: Job) -> float | None:
        if job.status in ENDED:
            return 0.0
        waiting = self._waiting[: self._waiting.index(job) + 1] if job in self._waiting else []
        made = [job] if not waiting else [each for each in self._jobs.values() if each.status == IN_PROGRESS]
        whole = [self.estimates.seconds(each.sort) for each in (*made, *waiting)]
        if None in whole:
            return None
        spent = sum(min(self._clock() - each.begun, time_) for each, time_ in zip(made, whole))
        return round(max(0.1, sum(whole) - spent), 1)

    def _tell(self, *jobs: Job) -> None:
        for job in jobs:
            for listener in job.listeners:
                listener()

    def _forget_old(self) -> None:
        for job in [each for each in self._jobs.values() if each.status in ENDED]:
            if self._clock() - job.ended > self._keep_seconds:
                self._drop(job)

    def _make_room(self, wanted: int) -> None:
        """Drop the oldest results until there is room; Full when what waits takes all of it."""
        kept = sum(job.bytes for job in self._jobs.values()) + wanted
        for job in sorted((each for each in self._jobs.values() if each.status in ENDED), key=lambda each: each.ended):
            if kept <= self._keep_bytes:
                return
            kept -= job.bytes
            self._drop(job)
        if kept > self._keep_bytes and wanted:
            raise Full("the pictures of those who wait take all the room; try again in a while")

    def _drop(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if job.status in ENDED:
            job.files.clear()
