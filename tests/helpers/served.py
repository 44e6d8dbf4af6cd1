"""A server in a process of its own, as `zero123pp serve` starts it, and the plainest of clients for odd requests."""

import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from paths import ROOT

_START_SECONDS = 120


SCRIPTED = (str(ROOT / "tests" / "helpers" / "served_makers.py"),)
"""A server whose worker does what its pictures say, see there."""


@contextlib.contextmanager
def served(*arguments, program=(str(ROOT / "run.py"), "serve"), wait=True, token=None):
    """Yields (address, process) of a server that answers; with ``wait``, whose worker is ready too."""
    given = [*arguments, *([] if token is None else ["--token", token])]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])}
    command = [sys.executable, *program, "--port", "0", *given]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=where)
    try:
        line = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, line + process.stderr.read()
        if wait:
            until_ready(found[0], token)
        yield found[0], process
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def until_ready(address, token=None):
    """Wait for the worker."""
    from zero123pp.client import Client

    end = time.monotonic() + _START_SECONDS
    while (state := Client(address, token).health()["worker"]) != "ready":
        assert time.monotonic() < end and not state.startswith("failed"), state
        time.sleep(0.1)


def ask(address, method, path, body=None, headers=()):
    """(status, headers, body) of one request, whose path, header and body are sent as they are."""
    host, port = address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name, _ in headers))
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None and not any(name.lower() == "content-length" for name, _ in headers):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def raw(address, data, seconds=30.0):
    """All that comes back on a connection to which ``data`` was written, until the server closes it."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(data)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
        return found


def resident_mb(pid):
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def children(pid):
    """Process ids of a process's children."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for thread in threads for each in thread.read_text().split()]
