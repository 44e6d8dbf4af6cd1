"""The machine that this process runs on."""

import os
import platform
from pathlib import Path


def processors() -> tuple[int, ...]:
    """Numbers of the processors that this process may use, ascending; all of the machine where the system has no say.

    A container or a scheduler often grants fewer than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def processor_name() -> str:
    """What the maker calls the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
