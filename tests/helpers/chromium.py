"""A page in a real browser without a screen, behind a proxy that notes every address anybody asks for.

The browser is spoken to in the DevTools protocol over a pipe: JSON messages with a zero byte after each.
"""

import base64
import fcntl
import io
import json
import os
import re
import shutil
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUIET = (
    *("--headless=new", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-pipe"),
)
BROWSERS_OWN = re.compile(r"^\w+ (http://)?[\w.-]*\.(google|googleapis|gvt1)\.com[:/]")
"""What a Chromium asks for by itself, whatever it shows."""


@contextmanager
def _listening_proxy():
    """The port of a proxy that refuses everything, and the list of what was asked of it."""
    asked = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline().decode("latin-1").strip()
            if not BROWSERS_OWN.search(line):
                asked.append(line)
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int, asked: list[str]) -> None:
        self._to, self._from, self._number, self._session = to_browser, os.fdopen(from_browser, "rb"), 0, None
        self.asked = asked
        """First line of each request that left the browser."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        """The result of a command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {} if self._session is None else {"sessionId": self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = bytearray()
            while (byte := self._from.read(1)) != b"\0":
                assert byte, "the browser has gone"
                answer += byte
            answer = json.loads(answer)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def show(self, page: Path, size=(900, 700), *, dark=False) -> None:
        """Open a page of the disk."""
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())

    def run(self, script):
        """The value of a JavaScript expression, awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, script, seconds=90):
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"still not after {seconds} s: {script}"
            time.sleep(0.2)

    def shot(self) -> np.ndarray:
        """(H, W, 3) uint8 of what is seen."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@contextmanager
def a_browser(folder: Path):
    """A `Page` of a new browser with its profile in ``folder``; skips where no browser is installed."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    (reads, to_browser), (from_browser, writes) = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, writes)]

    def hand_over():  # the browser looks for them at 3 and 4
        for end, at in zip(ends, (3, 4)):
            os.dup2(end, at)

    with _listening_proxy() as (port, asked):
        line = [browser, *QUIET, f"--proxy-server=127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>"]
        line += [f"--user-data-dir={folder / 'profile'}", "about:blank"]
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=hand_over)
        for end in (reads, writes, *ends):
            os.close(end)
        try:
            yield Page(to_browser, from_browser, asked)
        finally:
            process.kill()
            process.wait()
            os.close(to_browser)
