"""A maker whose items say in their bytes what happens to the worker, and the command line run with it.

Everything of a batch is real but the mesh: the processes, the files, the locks and the signals.
`python batch_makers.py batch --images ... --out ...` runs the command.
"""

import argparse
import ctypes
import hashlib
import os
import sys
import time

from zero123pp.pipelines.batch.addresses import open_store
from zero123pp.pipelines.batch.job import BatchSettings, Outcome, Task

MAKER = "batch_makers:Scripted"


class Scripted:
    """Does what the first word of the picture says, then writes a result that depends on the key alone."""

    def __init__(self, settings: BatchSettings) -> None:
        self._store = open_store(settings.out)
        self._held = []
        self._drawn = {}

    def prepare(self, tasks) -> None:
        """Draws several items together: 'shy' ones do not bear that."""
        self._drawn = dict.fromkeys([task.key for task in tasks], len(tasks))
        for task in tasks:
            word, _, rest = task.image.decode().partition(" ")
            if word == "shy":
                os._exit(4)
            self._draw(word, rest)

    def _draw(self, word: str, rest: str) -> None:
        if word == "poison":
            os._exit(3)
        if word == "stuck":
            time.sleep(60)
        if word == "draw":
            time.sleep(float(rest.split()[0]))

    def __call__(self, task: Task) -> Outcome:
        word, _, rest = (task.image or task.views).decode().partition(" ")
        company = self._drawn.pop(task.key, 1)
        if company == 1:
            self._draw(word, rest)
        if word == "draw":
            time.sleep(float(rest.split()[1]))
        if word == "exit":
            os._exit(3)
        if word == "segv":
            ctypes.string_at(0)
        if word == "raise":
            raise_it = ValueError("as told")
            return Outcome("failed", f"ValueError: {raise_it}")
        if word == "refuse":
            return Outcome("refused", "no picture")
        if word == "sleep":
            time.sleep(float(rest.split()[0]))
        if word == "leak":
            megabytes, seconds = rest.split()[:2]
            self._held.append(bytearray(os.urandom(1) * (int(megabytes) * 10**6)))
            time.sleep(float(seconds))
        content = b"glTF zero123pp" + hashlib.sha256(task.key.encode()).digest() * 4000
        try:
            said = {"key": task.key, "glb": f"{task.place}.glb", "bytes": len(content), "pid": os.getpid()}
            said["company"] = company
            said["sha256"] = hashlib.sha256(content).hexdigest()
            self._store.write(task.place, {".glb": content}, said)
        except (OSError, ValueError) as error:
            return Outcome("storage", str(error))
        return Outcome("done", "", 0.01)


def scripted_engine(args: argparse.Namespace, settings: BatchSettings, count: int) -> object:
    from zero123pp.pipelines.batch.local import LocalEngine
    from zero123pp.pipelines.batch.process import Limits

    limits = Limits(args.deadline, args.memory)
    if args.engine == "ray":
        from zero123pp.pipelines.batch.ray_engine import RayEngine

        return RayEngine(settings, limits, args.workers, address=args.ray_address, maker=MAKER)
    return LocalEngine(settings, limits, args.workers or 2, maker=MAKER)


if __name__ == "__main__":
    from zero123pp.pipelines.commands import batch, cli

    # The command line offers no other maker, and should not.
    batch._engine = scripted_engine
    sys.exit(cli.main())
