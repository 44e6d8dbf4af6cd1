"""What a batch left behind: its results, what it gave up, and who still works on it."""

import json
import os

from zero123pp.pipelines.batch.store import FAILED


def quarantined(out):
    return {json.loads(path.read_text())["items"][0]: json.loads(path.read_text()) for path in (out / FAILED).iterdir()}


def results(out):
    """The files that mark finished results, in either layout."""
    return [path for path in out.rglob("*.json") if path.parent.name != FAILED and not path.name.startswith(".")]


def glbs(out):
    """Content of the finished GLBs by their keys."""
    said = [json.loads(path.read_text()) for path in results(out)]
    return {each["key"]: (out / each["glb"]).read_bytes() for each in said}


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
