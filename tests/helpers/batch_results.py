"""What a batch left behind: its results, what it gave up, and who still works on it."""

import json
import os

from zero123pp.pipelines.batch.store import FAILED


def quarantined(out):
    return {json.loads(path.read_text())["items"][0]: json.loads(path.read_text()) for path in (out / FAILED).iterdir()}


def glbs(out):
    return {path.name: path.read_bytes() for path in out.glob("??/*.glb")}


def worker_processes(out):
    """Ids of the processes that hold the results' lock file open, this one aside."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if str(out / ".writers") in links and int(pid) != os.getpid():
            found.append(int(pid))
    return found
