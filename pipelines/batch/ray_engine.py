"""Workers on a Ray cluster: one actor each, which watches a worker process of its own on its node.

Ray places the actors and carries tasks and outcomes. What an item may do to its worker is judged next to it by the
same `WorkerProcess` as on one machine, so an actor that dies means a lost machine and never a bad item. No retries are
left to Ray: the driver owns them, with one call in flight for each actor.
"""

import math
import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from pathlib import Path
from typing import Any

import zero123pp
from zero123pp.errors import BadInput, MissingBackend, StageFailed
from zero123pp.machine import processors
from zero123pp.pipelines.batch.job import BatchSettings, Outcome, Task
from zero123pp.pipelines.batch.process import MAKER, Limits, WorkerProcess, share_of_cores, share_of_memory_mb

_GROW_SECONDS = 10.0
"""How often it is looked whether nodes have joined."""
_START_SECONDS = 180.0
"""How long a cluster may have no worker at all before that is an error: Ray itself would wait for ever."""
_SILENCE_SECONDS = 120.0
"""An actor that has not answered so long after its item's deadline is gone."""
_OBJECT_STORE_BYTES = 256 * 2**20
"""For a cluster that is started here; pictures pass through it one a worker."""


class Host:
    """What runs inside an actor: a `WorkerProcess` and the loop that watches it."""

    def __init__(self, settings: BatchSettings, limits: Limits, maker: str) -> None:
        self._settings, self._limits, self._maker = settings, limits, maker
        self._worker: WorkerProcess | None = None

    def node(self) -> str:
        """The id of the node it runs on."""
        import ray

        return ray.get_runtime_context().get_node_id()

    def begin(self, index: int, cpus: float) -> None:
        """Take the ``index``-th share of this node."""
        count = max(1, int(len(processors()) // cpus))
        limits = self._limits
        if limits.memory_mb is None:
            limits = replace(limits, memory_mb=share_of_memory_mb(count))
        share = share_of_cores(index % count, count)
        self._worker = WorkerProcess(self._settings, limits, cores=share, maker=self._maker)

    def run(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Begin items; returns as `more`."""
        self._worker.submit(tasks)
        return self.more()

    def more(self) -> list[Outcome]:
        """The outcomes of the first items under way, as soon as there are any."""
        while not (outcomes := self._worker.poll()):
            connection.wait([self._worker.pipe], 0.1)
        return outcomes


@dataclass
class _Actor:
    handle: Any
    node: str = ""
    index: int = -1
    tasks: list[Task] = field(default_factory=list)
    begun: float = 0.0
    ready: bool = False


class RayEngine:
    """See `zero123pp.pipelines.batch.local.Engine`.

    Args:
        settings: of all items; the folder of results has to be the same for all nodes.
        limits: of each worker.
        workers: at most so many; 0 for as many as the cluster has room for, also when nodes join.
        address: of a cluster, 'auto' or host:port; None takes the one that this process is connected to already, or
            starts one on this machine, without dashboard, that only those with its random token can talk to.
        cpus: processors of each worker.
        gpus: GPUs of each worker, also a fraction: with 0.5, one draws views while the other fits.
        items: how many there are; no more workers than that are started.
        maker: see `WorkerProcess`.

    Raises:
        MissingBackend: Ray is not installed, or there is no such cluster.
        BadInput: a worker asks for more than the whole cluster has.
    """

    def __init__(
        self,
        settings: BatchSettings,
        limits: Limits,
        workers: int = 0,
        *,
        address: str | None = None,
        cpus: float = 1.0,
        gpus: float = 0.0,
        items: int = 2**31,
        maker: str = MAKER,
    ) -> None:
        self._ray = _ray(own_cluster=address is None)
        self._limits, self._workers, self._items = limits, workers, items
        self._cpus, self._gpus = cpus, gpus
        self._actors: list[_Actor] = []
        self._calls: dict[Any, _Actor] = {}
        self._begin(address, settings, limits, maker)
        self._failed_starts, self._looked, self._alone_since = 0, 0.0, time.monotonic()
        self._check_room()
        self._grow()

    def idle(self) -> bool:
        """See `Engine`."""
        return any(actor.ready and not actor.tasks for actor in self._actors)

    def submit(self, tasks: Sequence[Task]) -> None:
        """See `Engine`."""
        actor = next(actor for actor in self._actors if actor.ready and not actor.tasks)
        actor.tasks, actor.begun = list(tasks), time.monotonic()
        self._calls[actor.handle.run.remote(tuple(tasks))] = actor

    def wait(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """See `Engine`. Raises StageFailed when the cluster gives no worker."""
        now = time.monotonic()
        if now - self._looked > _GROW_SECONDS:
            self._grow()
        if any(actor.ready for actor in self._actors):
            self._alone_since = now
        elif now - self._alone_since > _START_SECONDS:
            raise StageFailed(f"the cluster gave no worker in {_START_SECONDS:.0f} s; look at `ray status`")
        ended = self._silent(now)
        if not self._calls:
            time.sleep(min(seconds, 0.1))
            return ended
        ready, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=min(seconds, 0.5))
        for reference in ready:
            ended += self._answer(reference, self._calls.pop(reference))
        return ended

    def close(self) -> None:
        """See `Engine`."""
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor.handle, no_restart=True)
        self._actors.clear()
        self._calls.clear()
        if self._connected_here:
            self._ray.shutdown()

    def _begin(self, address: str | None, settings: BatchSettings, limits: Limits, maker: str) -> None:
        root = str(Path(zero123pp.__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address is None:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            options["include_dashboard"] = False
            options |= {"object_store_memory": _OBJECT_STORE_BYTES, "num_cpus": self._local_cpus()}
            # A checkout is not on the path of the actors; on other machines the package has to be installed.
            options["runtime_env"] = {"env_vars": {"PYTHONPATH": path}}
        self._connected_here = not self._ray.is_initialized()
        try:
            if self._connected_here:
                self._ray.init(address=address or "local", **options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            line = " ".join(str(error).split())[:300]
            raise MissingBackend(f"no Ray cluster at {address or 'this machine'}: {line}") from error
        actor = self._ray.remote(Host)
        self._host = actor.options(num_cpus=self._cpus, num_gpus=self._gpus, max_restarts=0, max_task_retries=0)
        self._arguments = (settings, limits, maker)

    def _local_cpus(self) -> int:
        return max(len(processors()), math.ceil(self._workers * self._cpus))

    def _check_room(self) -> None:
        have = self._ray.cluster_resources()
        for name, wanted in (("CPU", self._cpus), ("GPU", self._gpus)):
            if wanted > have.get(name, 0):
                self.close()
                raise BadInput(f"a worker asks for {wanted:g} {name}, but the cluster has {have.get(name, 0):g} in all")

    def _grow(self) -> None:
        """Start workers for room that has none, and for those that died."""
        self._looked = time.monotonic()
        have = self._ray.cluster_resources()
        room = int(have.get("CPU", 0) // self._cpus)
        if self._gpus:
            room = min(room, int(have.get("GPU", 0) / self._gpus + 1e-6))
        wanted = min(self._workers or room, self._items)
        while len(self._actors) < wanted:
            actor = _Actor(self._host.remote(*self._arguments))
            self._actors.append(actor)
            self._calls[actor.handle.node.remote()] = actor

    def _answer(self, reference: Any, actor: _Actor) -> list[tuple[Task, Outcome]]:
        try:
            said = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return self._gone(actor, " ".join(str(error).split())[:300])
        if isinstance(said, list):
            ended = list(zip(actor.tasks, said))
            del actor.tasks[: len(ended)]
            if actor.tasks:
                actor.begun = time.monotonic()
                self._calls[actor.handle.more.remote()] = actor
            return ended
        if said is not None:
            actor.node = said
            used = {other.index for other in self._actors if other.node == said}
            actor.index = next(index for index in range(len(self._actors) + 1) if index not in used)
            self._calls[actor.handle.begin.remote(actor.index, self._cpus)] = actor
        else:
            actor.ready, self._failed_starts = True, 0
        return []

    def _gone(self, actor: _Actor, reason: str) -> list[tuple[Task, Outcome]]:
        """An actor died: its items are tried elsewhere, and another takes its place."""
        self._actors.remove(actor)
        with suppress(Exception):
            self._ray.kill(actor.handle, no_restart=True)
        if not actor.ready:
            self._failed_starts += 1
            if self._failed_starts >= 10:
                raise StageFailed(f"workers do not start on the cluster: {reason}")
        self._grow()
        seconds = (time.monotonic() - actor.begun) / max(1, len(actor.tasks))
        return [(task, Outcome("lost", f"lost a worker: {reason}", seconds)) for task in actor.tasks]

    def _silent(self, now: float) -> list[tuple[Task, Outcome]]:
        """Items whose actors do not even say that the deadline has passed."""
        ended = []
        for reference, actor in list(self._calls.items()):
            allowed = self._limits.deadline_s * len(actor.tasks) + _SILENCE_SECONDS
            if actor.tasks and now - actor.begun > allowed:
                del self._calls[reference]
                ended += self._gone(actor, "no answer after the deadline")
        return ended


def _ray(own_cluster: bool) -> Any:
    if own_cluster and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        # Ray's processes listen on all interfaces of the machine, whatever address they are told, and run what they
        # are sent. The token is read when Ray is imported, and handed to its processes in their environment.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingBackend("--engine ray needs Ray; pip install 'zero123pp[ray]'") from error
    return ray
