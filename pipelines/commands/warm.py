"""``zero123pp warm``: compiles the kernels of a usual run, so that the first one is as fast as all others."""

import argparse
import json
import subprocess
import sys
import time

from zero123pp import kernel_cache
from zero123pp.errors import BadInput, StageFailed
from zero123pp.machine import processors

CHAINS = (("fit", "picture"), ("texture", "normals"))
"""Exercises, those of a chain one after another: two processes share the work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``warm`` has none."""


def run(args: argparse.Namespace) -> int:
    """Compile what is not compiled, and say what was done. Raises BadInput where nothing can be kept."""
    if kernel_cache.is_temporary():
        raise BadInput(
            "no folder can be written to keep compiled kernels; set NUMBA_CACHE_DIR to one that can be (and leave it "
            "set for later runs)"
        )
    start = time.perf_counter()
    compiled = compile_all()
    seconds = time.perf_counter() - start
    if compiled:
        sys.stdout.write(f"compiled {len(compiled)} kernels in {seconds:.0f} s; kept in {kernel_cache.kept_in()}\n")
    else:
        sys.stdout.write(f"nothing to do: all kernels are in {kernel_cache.kept_in()}\n")
    return 0


def compile_all() -> dict[str, float]:
    """Run all exercises; returns the kernels that were compiled and the seconds each took.

    Raises StageFailed when an exercise fails.
    """
    from zero123pp.pipelines.commands.first_run import start_exercises

    chains = CHAINS if len(processors()) > 1 else (sum(CHAINS, ()),)
    started = [start_exercises(chain, subprocess.PIPE) for chain in chains]
    compiled: dict[str, float] = {}
    try:
        for chain, process in zip(chains, started):
            out, errors = process.communicate()
            if process.returncode:
                last = errors.strip().splitlines()[-1:] or ["no message"]
                raise StageFailed(f"the kernels of {' and '.join(chain)} could not be compiled: {last[0]}")
            compiled |= {line["kernel"]: line["seconds"] for line in map(json.loads, out.splitlines())}
    finally:
        for process in started:
            process.kill()
            process.wait()
    return compiled
