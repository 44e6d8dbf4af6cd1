"""A maker whose pictures say in their bytes what happens to the worker, and a server that has it: all else is real.

`python served_makers.py --port 0 [--body-seconds S] ...`: fields of `ServerSettings`.
A picture is ``GIF89a`` and then words, such as ``GIF89a sleep 0.5``.
"""

import argparse
import ctypes
import os
import sys
import time

from zero123pp.pipelines.server.dispatcher import Dispatcher
from zero123pp.pipelines.server.listen import serve
from zero123pp.pipelines.server.maker import Maker
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import Work


class Scripted(Maker):
    """Does what the first word after the picture's beginning says, and gives the picture back."""

    def _object(self, work: Work) -> tuple[dict[str, bytes], dict]:
        data = next(iter(work.pictures.values()), b"")
        word, _, rest = data.removeprefix(b"GIF89a").decode("latin-1").strip().partition(" ")
        self._do(word, rest)
        files = {"model.glb": b"glTF" + data, "worker.txt": str(os.getpid()).encode()}
        return files, {"seconds": {"texture": 0.1}, "warnings": [], "mesh": {}}

    _cutout = _object

    def _do(self, word: str, rest: str) -> None:
        if word == "sleep":
            end = time.monotonic() + float(rest.split()[0])
            while time.monotonic() < end:
                time.sleep(0.02)
                self._progress("texture", 0.5)
        if word == "stuck":
            time.sleep(600)
        if word == "exit":
            os._exit(3)
        if word == "segv":
            ctypes.string_at(0)
        if word == "grow":
            self.held = bytearray(os.urandom(1)) * int(rest.split()[0])
            time.sleep(30)
        if word == "raise":
            raise_it = ValueError("as told")
            raise raise_it


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    kinds = {"port": int, "token": str, "queue": int, "memory_mb": int}
    kinds |= dict.fromkeys(("body_seconds", "deadline_s", "keep_seconds"), float)
    for field, kind in kinds.items():
        name = field.replace("_", "-")
        parser.add_argument(f"--{name}", type=kind, dest=field, default=getattr(ServerSettings(), field))
    Dispatcher.__init__.__kwdefaults__["maker"] = "served_makers:Scripted"
    serve(ServerSettings(**vars(parser.parse_args())), lambda address: print(address, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
