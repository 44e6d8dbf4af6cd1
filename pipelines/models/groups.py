"""Drawing several sheets at once for as long as the memory of the device lasts."""

from collections.abc import Callable
from typing import TypeVar

Progress = Callable[[float], None]
Drawn = TypeVar("Drawn")


def in_groups(
    draw: Callable[[slice, Progress | None], list[Drawn]], count: int, progress: Progress | None = None
) -> list[Drawn]:
    """All of ``count`` things, drawn together; in halves, quarters ... where the device runs out of memory.

    Args:
        draw: ``draw(rows, progress)`` draws those rows; drawn again, it gives the same.
        count: how many there are.
        progress: called with fractions in [0, 1]; it falls back where a group has to be drawn again.

    Raises:
        torch.OutOfMemoryError: there is no room for a single one.
    """
    import torch

    drawn: list[Drawn] = []
    size = count
    while len(drawn) < count:
        rows = slice(len(drawn), min(len(drawn) + size, count))
        try:
            drawn += draw(rows, part(progress, rows.start / count, rows.stop / count))
            continue
        except torch.OutOfMemoryError:
            if rows.stop - rows.start == 1:
                raise
        # Not in the handler: the traceback there holds on to the memory.
        size = (rows.stop - rows.start + 1) // 2
        torch.cuda.empty_cache()
    return drawn


def part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """A report of progress that fills [start, stop] of ``progress``; None of None."""
    return None if progress is None else lambda done: progress(start + (stop - start) * done)
