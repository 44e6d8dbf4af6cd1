"""A worker in a process of its own, watched: whatever an item does to it, the caller gets an outcome.

Several items may be submitted at once. They are under way together until the worker has prepared them (their views are
drawn in one call), then one by one. Only the item that is worked on alone is blamed for what happens to the worker.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import zero123pp
from zero123pp.machine import processors
from zero123pp.pipelines.batch.job import BatchSettings, News, Outcome, Task
from zero123pp.pipelines.batch.worker import PREPARED, READY, resident_mb

MAKER = "zero123pp.pipelines.batch.make:Maker"

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_START_SECONDS = 300.0
"""A worker that has not reported by then never will."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use."""

    deadline_s: float = 1800.0
    """Wall seconds of one item, the loading of its model included, the start of the process not. Items that are
    prepared together may take so long each, and each is charged with its equal share."""
    memory_mb: int | None = None
    """Resident memory at which an item is stopped; None for no limit."""
    growth_mb: int = 1024
    """A worker that has grown by this much since its first item is replaced by a fresh one."""
    items: int = 500
    """As is one that has made this many."""


class WorkerProcess:
    """One worker; starts its process when it is needed."""

    def __init__(
        self,
        settings: BatchSettings,
        limits: Limits,
        *,
        cores: Sequence[int] | None = None,
        maker: str = MAKER,
        on_news: Callable[[News], None] = lambda news: None,
    ) -> None:
        self._settings, self._limits, self._maker, self._on_news = settings, limits, maker, on_news
        self._cores = None if cores is None else tuple(cores)
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None
        self._errors: object = None
        self._tasks: list[Task] = []
        self._ready = self._together = False
        self._begun = self._spawned = self._share = 0.0
        self._made, self._first_mb = 0, 0
        self._ooms = 0

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is under way, in the order in which it ends."""
        return tuple(self._tasks)

    @property
    def pipe(self) -> Connection | None:
        """Readable when `poll` has something new."""
        return self._pipe

    def submit(self, tasks: Sequence[Task]) -> None:
        """Begin items; there must be none under way."""
        if not self.is_running:
            self._start()
        self._tasks, self._together = list(tasks), len(tasks) > 1
        self._begun, self._share = time.monotonic(), 0.0
        self._ooms = _kernel_ooms()
        try:
            self._pipe.send(tuple(tasks))
        except OSError:
            pass  # it died between two items; `poll` sees that

    def poll(self) -> list[Outcome]:
        """The outcomes of the first items under way, in their order, as far as there are any."""
        now = time.monotonic()
        if self._process is None:
            return self._end(Outcome("lost", "the worker was stopped"))
        dead = self._process.poll() is not None  # looked at first: a last message is still in the pipe then
        try:
            if (outcome := self._heard(now)) is not None:
                return [outcome]
        except (EOFError, OSError):
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:  # it closed its pipe and lives on
                self._process.kill()
                self._process.wait()
            dead = True
        spent = now - self._begun
        if dead:
            return self._end(self._post_mortem(spent))
        if not self._ready:
            late = now - self._spawned > _START_SECONDS
            return self._end(Outcome("lost", f"the worker did not start in {_START_SECONDS:.0f} s")) if late else []
        deadline = self._limits.deadline_s
        if spent > (deadline * len(self._tasks) if self._together else deadline - self._share):
            reason = f"took longer than {deadline:g} s; raise --deadline or make the item smaller"
            return self._end(Outcome("deadline", reason, spent + self._share))
        used, limit = resident_mb(self._process.pid), self._limits.memory_mb
        if limit is not None and used > limit:
            return self._end(Outcome("memory", f"needed {used} MB, more than --memory {limit}", spent, used))
        return []

    def _heard(self, now: float) -> Outcome | None:
        """The first outcome among what the worker has said since, and, before it, where it stands."""
        while self._pipe.poll():
            message = self._pipe.recv()
            if isinstance(message, News):
                self._on_news(message)
                continue
            begun, self._begun = self._begun, now
            if message == READY:
                self._ready = True
            elif message == PREPARED:
                self._together, self._share = False, (now - begun) / len(self._tasks)
            else:
                self._count(message)
                return message
        return None

    def stop(self) -> None:
        """End the process at once, whatever it does."""
        self._tasks = []
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._pipe.close()
            self._errors.close()
            self._process = self._pipe = None

    def _start(self) -> None:
        self.stop()
        ours, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()
        command = [sys.executable, "-m", "zero123pp.pipelines.batch.worker", str(theirs.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=_environment(self._cores),
        )
        if self._cores and hasattr(os, "sched_setaffinity"):
            # The compiled kernels take as many threads as there are processors for them.
            try:
                os.sched_setaffinity(self._process.pid, self._cores)
            except OSError:
                pass  # died already, or a container that forbids it
        theirs.close()
        self._pipe, self._ready, self._made, self._first_mb = ours, False, 0, 0
        self._spawned = time.monotonic()
        try:
            ours.send((self._maker, self._settings))
        except OSError:
            pass  # as in `submit`

    def _count(self, outcome: Outcome) -> None:
        """One item has ended; after the last one, a worker that has grown or made many is replaced."""
        self._tasks.pop(0)
        self._made += 1
        self._first_mb = self._first_mb or outcome.memory_mb
        grown = outcome.memory_mb - self._first_mb > self._limits.growth_mb
        if not self._tasks and (grown or self._made >= self._limits.items):
            self.stop()

    def _end(self, outcome: Outcome) -> list[Outcome]:
        """The process is over, or has to be: the outcomes of all items under way, whose fault it is or is not."""
        count, is_shared = len(self._tasks), self._together and self._ready
        share = outcome.seconds / count if is_shared else self._share
        company = Outcome("company", f"in company: {outcome.reason}", share)
        self.stop()
        return [company] * count if is_shared else [outcome, *[company] * (count - 1)]

    def _post_mortem(self, seconds: float) -> Outcome:
        """Why the process died: by its item, or by somebody else."""
        code = self._process.returncode
        last = self._last_words()
        if code is not None and code < 0 and -code in _FROM_OUTSIDE:
            if _kernel_ooms() > self._ooms:
                return Outcome("memory", "the machine ran out of memory; use fewer --workers", seconds)
            return Outcome("killed", f"the worker was killed by {signal.Signals(-code).name}", seconds)
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        if not self._ready:
            return Outcome("lost", f"the worker could not start ({how}){last}", seconds)
        return Outcome("crashed", f"the item took its worker down ({how}){last}", seconds)

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 8000))
        text = self._errors.read().decode("utf-8", "replace")
        fatal = text.rfind("Fatal Python error")  # faulthandler's words come before a long list of frames
        text = " ".join((text[fatal:] if fatal >= 0 else text[-400:]).split())
        return f": {text[:400]}" if text else ""


def share_of_cores(index: int, count: int) -> tuple[int, ...] | None:
    """The processors of worker ``index`` of ``count`` on this machine; None where they cannot be told apart."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = processors()
    each = max(1, len(cores) // count)
    return tuple(cores[(index * each + i) % len(cores)] for i in range(each))


def share_of_memory_mb(workers: int) -> int | None:
    """What each of so many workers may take of this machine's memory, MB; None where the system does not tell."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**6
    except (ValueError, OSError):
        return None
    return max(1000, whole // workers)


def _environment(cores: Sequence[int] | None) -> dict[str, str]:
    environment = dict(os.environ)
    root = str(Path(zero123pp.__file__).resolve().parent.parent)  # a checkout is not on the path of a new process
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    if cores is not None:
        environment |= dict.fromkeys(_THREAD_VARIABLES, str(len(cores)))
    return environment


def _kernel_ooms() -> int:
    """How many processes the kernel has killed for memory since it started."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except (OSError, ValueError, IndexError):
        return 0
