"""The machine that this process runs on."""

import os
import platform
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_Result = TypeVar("_Result")


def processors() -> tuple[int, ...]:
    """Numbers of the processors that this process may use, ascending; all of the machine where the system has no say.

    A container or a scheduler often grants fewer than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def in_threads(function: Callable[..., _Result], *arguments: Iterable) -> list[_Result]:
    """``list(map(function, *arguments))`` by as many threads as there are processors.

    For work that lets go of the interpreter's lock: kernels, large array operations, codecs.
    """
    with ThreadPoolExecutor(len(processors())) as pool:
        return list(pool.map(function, *arguments))


def processor_name() -> str:
    """What the maker calls the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
