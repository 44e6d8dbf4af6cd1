"""Stopping a run from outside, at its next tick of progress."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zero123pp.errors import BadInput, Cancelled
from zero123pp.pipelines.progress import StageProgress

Cancel = Callable[[], bool] | threading.Event
"""Says whether to stop: a function, or an event that is set from another thread."""

_LOOK_SECONDS = 0.1


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
