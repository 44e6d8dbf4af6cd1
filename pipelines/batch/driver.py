"""The loop of a batch: hands items to workers, tries failed ones again, gives up what fails twice, stops cleanly."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput, StageFailed, Zero123ppError
from zero123pp.pipelines.batch.identity import common_identity, item_key, row_key
from zero123pp.pipelines.batch.items import DRAWING, Item, inside
from zero123pp.pipelines.batch.job import OWN_FAULTS, BatchSettings, Outcome, Task
from zero123pp.pipelines.batch.local import Engine
from zero123pp.pipelines.batch.store import Store

TRIES = 2
"""How often an item may fail by its own fault before it is given up."""
FOREIGN_TRIES = 12
"""How often its worker may be killed by somebody else. High, because that says nothing about the item; not endless,
because a machine that kills everything must not be asked for ever."""

HOPELESS = 20
"""So many failures in a row with the same words, before anything was made, are not the items' fault."""

_WAIT_SECONDS = 0.5
_ELSEWHERE_SECONDS = 1.0


@dataclass
class BatchTally:
    """How a run stands."""

    total: int
    done: int = 0
    """Made by this run."""
    found: int = 0
    """Done before, or by another run, or the same as another row."""
    failed: int = 0
    """Given up, now or before."""
    tries: int = 0
    """Items begun, those that were begun again included."""
    seconds: float = 0.0
    """Wall time of all tries that ended."""

    @property
    def settled(self) -> int:
        """Rows about which nothing is left to do."""
        return self.done + self.found + self.failed


@dataclass
class _History:
    own: int = 0
    foreign: int = 0
    reasons: list[str] = field(default_factory=list)


class Batch:
    """One run over a list of items.

    Args:
        items: what to make.
        root: folder of the items' files.
        settings: of all items.
        store: open.
        retry_failed: try again what an earlier run gave up.
        together: so many new items are handed to a worker at once, where one model draws all of them alike.
    """

    def __init__(
        self,
        items: Sequence[Item],
        root: Path,
        settings: BatchSettings,
        store: Store,
        *,
        retry_failed: bool = False,
        together: int = 1,
    ) -> None:
        self.tally = BatchTally(len(items))
        self.keys: list[str | None] = [None] * len(items)
        """The key of each item, as far as the run has come."""
        self._items, self._root, self._settings, self._store = items, root, settings, store
        self._retry_failed, self._together = retry_failed, together
        self._identities: dict[str, dict[str, Any] | Zero123ppError] = {}
        self._cursor = 0
        self._same_reason = 0
        self._last_reason = ""
        self._alone: deque[int] = deque()
        self._again: deque[int] = deque()
        self._elsewhere: deque[int] = deque()
        self._rows: dict[str, list[int]] = {}
        self._history: dict[str, _History] = {}

    def run(self, engine: Engine, *, stopped: Callable[[], bool], tick: Callable[[BatchTally], None]) -> None:
        """Work until all items are settled, or ``stopped`` says so.

        Args:
            engine: runs the items; the caller closes it.
            stopped: asked all the time.
            tick: told about progress.

        Raises:
            StageFailed: the results cannot be written any more (a full disk); what is done stays done.
        """
        under_way = 0
        while not stopped():
            while engine.idle() and (tasks := self._next(stopped, tick)):
                engine.submit(tasks)
                self.tally.tries += len(tasks)
                under_way += len(tasks)
                tick(self.tally)
            if not under_way and not self._is_something_left():
                break
            for task, outcome in engine.wait(_WAIT_SECONDS if under_way else _ELSEWHERE_SECONDS):
                under_way -= 1
                self._settle(task, outcome)
            tick(self.tally)
        tick(self.tally)

    def _is_something_left(self) -> bool:
        return bool(self._cursor < len(self._items) or self._alone or self._again or self._elsewhere)

    def _next(self, stopped: Callable[[], bool], tick: Callable[[BatchTally], None]) -> tuple[Task, ...]:
        """What to do next; () for nothing now.

        First what came to an end in company, so that whose fault that was is known soon; then new items; then failed
        ones; then those that another run had. Only new items go together.
        """
        if task := self._first_of(self._alone, stopped):
            return (task,)
        if tasks := self._new(stopped, tick):
            return tasks
        task = self._first_of(self._again, stopped) or self._first_of(self._elsewhere, stopped)
        return () if task is None else (task,)

    def _first_of(self, rows: deque[int], stopped: Callable[[], bool]) -> Task | None:
        """The first of these items that needs work and can be had."""
        for _ in range(len(rows)):
            if not stopped() and (task := self._task(rows.popleft())) is not None:
                return task
        return None

    def _new(self, stopped: Callable[[], bool], tick: Callable[[BatchTally], None]) -> tuple[Task, ...]:
        """The next items of the list that need work, as many as go together."""
        tasks: list[Task] = []
        alike = None
        while self._cursor < len(self._items) and len(tasks) < self._together and not stopped():
            item = self._items[self._cursor]
            if tasks and (alike is None or alike != _drawn_like(item)):
                break
            self._cursor += 1
            if (task := self._task(self._cursor - 1)) is not None:
                tasks.append(task)
                alike = _drawn_like(item)
            tick(self.tally)
        return tuple(tasks)

    def _task(self, index: int) -> Task | None:
        """The task of an item, claimed; None when there is nothing to do for it now."""
        item = self._items[index]
        try:
            if item.problem:
                raise BadInput(item.problem)
            pictures = _read_pictures(item, self._root)
            key = item_key(item, pictures, self._identity(item.model))
        except (Zero123ppError, OSError) as error:
            self.keys[index] = row_key(item)
            self._give_up([index], row_key(item), "refused", str(error))
            return None
        if self.keys[index] not in (None, key):  # the file changed since the first try
            self._again.extend(row for row in self._rows.pop(self.keys[index], []) if row != index)
        self.keys[index] = key
        rows = self._rows.setdefault(key, [])
        if rows and index not in rows:
            rows.append(index)  # the same picture once more: settled with the first
            return None
        if not rows:
            rows.append(index)
        if not self._store.claim(key):
            self._elsewhere.append(index)
            return None
        if self._is_settled(key):
            self._store.release(key)
            return None
        place = self._store.place(key, item.name, is_shared=item.shares_name)
        call = {name: getattr(item, name) for name in _CALL if getattr(item, name) is not None}
        return Task(key, item.source, call, item.model, pictures.get("image"), pictures.get("views"), place)

    def _is_settled(self, key: str) -> bool:
        rows = self._rows[key]
        if self._store.result(key, self._items[rows[0]].name) is not None:
            self.tally.found += len(rows)
        elif self._store.failure(key) is not None and not self._retry_failed:
            self.tally.failed += len(rows)
        else:
            return False
        self._close(key)
        return True

    def _identity(self, model: str) -> dict[str, Any]:
        if model not in self._identities:
            try:
                self._identities[model] = common_identity(model, self._settings)
            except Zero123ppError as error:
                self._identities[model] = error
        known = self._identities[model]
        if isinstance(known, Zero123ppError):
            raise known
        return known

    def _settle(self, task: Task, outcome: Outcome) -> None:
        """Count an outcome: done, once more, or given up."""
        self.tally.seconds += outcome.seconds
        key, history = task.key, self._history.setdefault(task.key, _History())
        if outcome.kind == "storage":
            raise StageFailed(f"stopped: {outcome.reason}; what is done stays done, run the same command again")
        if outcome.kind == "company":
            self._store.release(key)
            self._alone.append(self._rows[key][0])
            return
        self._watch_for_hopelessness(outcome)
        if outcome.kind == "done":
            self._store.forgive(key)
            rows = self._rows[key]
            self.tally.done += 1
            self.tally.found += len(rows) - 1
            self._close(key)
            return
        history.own += outcome.kind in OWN_FAULTS
        history.foreign += outcome.kind not in (*OWN_FAULTS, "refused")
        history.reasons.append(outcome.reason)
        if outcome.kind == "refused" or history.own >= TRIES or history.foreign >= FOREIGN_TRIES:
            self._give_up(self._rows[key], key, outcome.kind, outcome.reason)
        else:
            self._store.release(key)
            self._again.append(self._rows[key][0])

    def _watch_for_hopelessness(self, outcome: Outcome) -> None:
        """Stop when nothing works at all, before every item is given up for a reason that is not its own."""
        same = outcome.kind != "done" and outcome.reason == self._last_reason
        self._same_reason = self._same_reason + 1 if same else 1
        self._last_reason = outcome.reason
        if not self.tally.done and outcome.kind not in ("done", "killed") and self._same_reason >= HOPELESS:
            raise StageFailed(f"stopped after {HOPELESS} failures in a row, none of them new: {outcome.reason}")

    def _give_up(self, rows: Sequence[int], key: str, kind: str, reason: str) -> None:
        history = self._history.get(key, _History())
        said = {
            "key": key,
            "items": [self._items[row].source for row in rows],
            "kind": kind,
            "reason": reason,
            "tries": max(1, len(history.reasons)),
            "reasons": history.reasons or [reason],
        }
        try:
            self._store.quarantine(key, said)
        except (BadInput, OSError) as error:
            raise StageFailed(f"stopped: {error}; what is done stays done, run the same command again") from error
        self.tally.failed += len(rows)
        self._close(key)

    def _close(self, key: str) -> None:
        """Nothing is left to do for a key: later rows of the same one find its result in the store."""
        self._rows.pop(key, None)
        self._history.pop(key, None)
        self._store.release(key)


_CALL = ("prompt", "rig", "seed", *DRAWING)


def _drawn_like(item: Item) -> tuple[object, ...] | None:
    """Equal for items whose views one call can draw; None for those that need no drawing, or a picture first."""
    return None if item.image is None else (item.model, *(getattr(item, name) for name in DRAWING))


def _read_pictures(item: Item, root: Path) -> dict[str, bytes]:
    """The content of an item's files, by field; BadInput when one cannot be read or lies outside of ``root``."""
    from zero123pp.pipelines.inputs import MAX_BYTES

    pictures = {}
    for name in ("image", "views"):
        text = getattr(item, name)
        if text is None:
            continue
        path = inside(root, text)
        if path.is_dir():
            raise BadInput(f"{text} is a folder; a batch takes one picture or one sheet an item")
        if not path.is_file():
            raise BadInput(f"there is no picture {text}; check the path")
        with open(path, "rb") as file:
            pictures[name] = file.read(MAX_BYTES + 1)
        if len(pictures[name]) > MAX_BYTES:
            raise BadInput(f"{text} has more than {MAX_BYTES // 2**20} MB; scale the picture down first")
    return pictures
