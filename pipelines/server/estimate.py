"""How long jobs take, learnt from those before: the share that is done, and the seconds that are left."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zero123pp.pipelines.server.work import Made

KEEP = 0.6
"""Weight of what was known when a new job ends."""
STAGES = ("picture", "cutout", "views", "align", "fit", "mesh", "refine", "register", "texture", "check", "pack")
"""In the order in which a job goes through them; no job has all."""


class _Sorted(Protocol):
    kind: str
    model: str


def sort_of(job: _Sorted) -> str:
    """The same for jobs that take about the same time."""
    return f"{job.kind} {job.model}"


class Estimates:
    """Mean seconds of each stage and of the whole, for each sort of job."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, float]] = {}
        self._whole: dict[str, float] = {}
        self._guessed: set[str] = set()

    def learn(self, sort: str, made: "Made") -> None:
        """A job of that sort is done."""
        is_new = sort not in self._whole or sort in self._guessed
        self._guessed.discard(sort)
        self._whole[sort] = made.seconds if is_new else KEEP * self._whole[sort] + (1 - KEEP) * made.seconds
        known = {} if is_new else self._stages.get(sort, {})
        taken: Mapping[str, float] = made.facts.get("seconds", {})
        mixed = {name: KEEP * known.get(name, value) + (1 - KEEP) * value for name, value in taken.items()}
        self._stages[sort] = known | mixed

    def guess(self, job: _Sorted, made: "Made") -> None:
        """What a cold worker took stands until a visitor's job is done."""
        if sort_of(job) not in self._whole:
            self.learn(sort_of(job), made)
            self._guessed.add(sort_of(job))

    def seconds(self, sort: str) -> float | None:
        """What a job of that sort takes; None before the first one."""
        return self._whole.get(sort)

    def share_done(self, sort: str, stage: str, fraction: float) -> float:
        """In [0, 1): of a job that stands in a stage."""
        known = {name: value for name, value in self._stages.get(sort, {}).items() if name in STAGES}
        if stage not in known or sum(known.values()) <= 0:
            return 0.0 if stage not in STAGES else min(0.95, STAGES.index(stage) / len(STAGES))
        done = sum(value for name, value in known.items() if STAGES.index(name) < STAGES.index(stage))
        return min(0.99, (done + fraction * known[stage]) / sum(known.values()))
