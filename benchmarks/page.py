"""The page of `zero123pp serve` in a real browser: what works, how long it takes, whom it asks, and how it looks.

    pip install -c constraints.txt ".[serve]" playwright axe-playwright-python
    python benchmarks/page.py --chromium /usr/bin/chromium --pictures docs/page --out benchmarks/results/page.md

A headless Chromium (a system's own; playwright brings none here) drops a picture, corrects the outline by the brush,
makes the model, turns it, makes it again with another thickness, and saves it; then all of it by keyboard alone. A
proxy stands in for the rest of the world and notes whatever is asked of it. The times are wall seconds of one run, and
so is the command line's own on the same picture, everything warm, measured between.
"""

import argparse
import base64
import io
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from zero123pp.client import Client  # noqa: E402
from zero123pp.files import make_folder, write_file  # noqa: E402

TOY = ROOT / "docs" / "toy.png"
FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox", "--disable-background-networking")
BROWSERS_OWN = r"(update|content-autofill)\.googleapis\.com|accounts\.google\.com"
"""Whom Chromium asks on an empty page too, about itself."""
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 780}
WAIT_S = 240


class World(socketserver.ThreadingTCPServer):
    """A proxy that lets nothing through, and remembers who asked for what."""

    daemon_threads = allow_reuse_address = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Asked)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Asked(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline(4096).decode("latin-1").strip()
        if not re.search(BROWSERS_OWN, line):
            self.server.asked.append(line)
        self.wfile.write(b"HTTP/1.1 502 Nobody\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def start() -> tuple[subprocess.Popen, str, float]:
    """A server's process, its address, and the moment of its start."""
    begun = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    return process, re.search(r"http://[\d.]+:\d+", process.stderr.readline())[0], begun


def loaded(process: subprocess.Popen, *names: str) -> list[str]:
    """Which of these libraries the process has loaded."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return [name for name in names if f"/{name}" in maps]


def mark(page, name: str, after: int = 0) -> float:
    """When the page passed a mark for the (after + 1)th time, ms of its own clock; waits for it."""
    end = time.monotonic() + WAIT_S
    while len(found := page.evaluate(f"performance.getEntriesByName('{name}').map((each) => each.startTime)")) <= after:
        trouble = page.inner_text("#trouble")
        assert not trouble and time.monotonic() < end, f"no {name}: {trouble}"
        time.sleep(0.05)
    return found[after]


def ready(page) -> None:
    """Wait for a model that is finished and for no more than that."""
    page.wait_for_selector("#facts:not([hidden])", timeout=1000 * WAIT_S)
    page.wait_for_selector("#progress", state="hidden", timeout=1000 * WAIT_S)


def drawn(page) -> tuple[int, tuple[float, float]]:
    """Distinct colours of the model on its canvas, and where its middle is, as shares of the canvas."""
    end, shape = time.monotonic() + WAIT_S, np.zeros((1, 1), bool)
    while not shape.any():  # a frame is drawn when the browser finds time
        url = page.evaluate("document.querySelector('model-viewer').toDataURL('image/png')")
        pixels = np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA"))
        shape = pixels[..., 3] > 250
        assert time.monotonic() < end, "nothing is drawn"
    rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
    middle = ((columns[0] + columns[-1]) / 2 / shape.shape[1], (rows[0] + rows[-1]) / 2 / shape.shape[0])
    return len(np.unique(pixels[shape][:, :3], axis=0)), middle


def shot(page, folder: Path | None, name: str) -> None:
    """A screenshot, as WebP."""
    if folder is not None:
        time.sleep(1.0)
        picture = Image.open(io.BytesIO(page.screenshot(timeout=1000 * WAIT_S))).convert("RGB")
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=86, method=6)
        write_file(folder / f"{name}.webp", file.getvalue())


def violations(page) -> list[str]:
    """What axe-core finds, with its weight."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{each['impact']}: {each['id']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:120]}" for each in found
    ]


def outline_is_corrected(page) -> dict[str, int]:
    """Pixels of the object before a stroke of the brush, after it, and after it was undone."""
    count = (
        "(async () => { const {width, height} = document.getElementById('brush');"
        "const all = document.getElementById('brush').getContext('2d').getImageData(0, 0, width, height).data;"
        "let n = 0; for (let i = 3; i < all.length; i += 4) n += all[i] > 200; return n; })()"
    )
    box = page.locator("#brush").bounding_box()
    before = page.evaluate(count)
    page.check("input[name=brush][value=remove]", force=True)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"], steps=8)
    page.mouse.up()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    stroked = page.evaluate(count)
    page.click("#undo")
    return {"before": before, "stroked": stroked, "undone": page.evaluate(count)}


def by_keyboard(page, address: str) -> list[str]:
    """The whole way without a pointer; returns what was reached."""
    reached = []

    def tab_to(selector: str, key: str) -> None:
        for _ in range(60):
            if page.evaluate(f"document.activeElement?.matches({selector!r})"):
                page.keyboard.press(key)
                reached.append(selector)
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by the tab key")

    page.goto(address)
    page.wait_for_selector("#examples button")
    tab_to("#examples button", "Enter")
    page.wait_for_selector("#make:not([disabled])", timeout=1000 * WAIT_S)
    page.locator("#brush").focus()
    for key in ("r", "ArrowRight", "ArrowDown", "Space", "Control+z", "a", "Space"):
        page.keyboard.press(key)
    assert page.is_enabled("#undo")
    tab_to("#make", "Enter")
    ready(page)
    tab_to("#compare", "Enter")
    assert page.get_attribute("#compare", "aria-pressed") == "true"
    tab_to("#download-glb", "Shift+Tab")
    tab_to("#remake", "Shift+Tab")
    return reached


def flow(browser, address: str, world: World, pictures: Path | None) -> dict:
    """The way of a visitor with a pointer; the numbers of it."""
    said: dict = {}
    page = browser.new_page(viewport=DESKTOP, reduced_motion="reduce", color_scheme="light", accept_downloads=True)
    page.set_default_timeout(1000 * WAIT_S)
    hosts, broken = set(), []
    page.on("request", lambda request: hosts.add(re.sub(r"^(blob:)?(\w+://[^/]*|data:).*", r"\2", request.url)))
    page.on("pageerror", lambda error: broken.append(str(error)[:200]))
    page.goto(address)
    page.wait_for_selector("#examples img")
    said["axe"] = {"start": violations(page)}
    shot(page, pictures, "start-light")
    page.evaluate("performance.mark('dropped')")
    page.set_input_files("#file", TOY)
    page.wait_for_selector("#make:not([disabled])")
    said["dropped to cutout, s"] = (mark(page, "cutout") - mark(page, "dropped")) / 1e3
    said["axe"]["outline"] = violations(page)
    shot(page, pictures, "outline-light")
    said["brush"] = outline_is_corrected(page)
    page.click("#make")
    ready(page)
    begun = mark(page, "make")
    said["make to untextured, s"] = (mark(page, "untextured") - begun) / 1e3
    said["make to textured, s"] = (mark(page, "textured") - begun) / 1e3
    said["axe"]["model"] = violations(page)
    said["colours"], said["middle"] = drawn(page)
    shot(page, pictures, "model-light")

    orbit = "document.querySelector('model-viewer').getCameraOrbit().theta"
    before, box = page.evaluate(orbit), page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    time.sleep(1.5)
    said["turned by, degrees"] = abs(float(np.degrees(page.evaluate(orbit) - before)))

    page.locator("#depth").fill("0.6")
    page.locator("#elevation").fill("35")
    page.click(".seen[data-for=elevation]")
    page.click("#remake")
    mark(page, "textured", 1)
    ready(page)
    said["again with a knob, s"] = (mark(page, "textured", 1) - mark(page, "make", 1)) / 1e3
    said["history"] = page.locator("#past button").count()
    with page.expect_download() as download:
        page.click("#download-glb")
    said["validator"] = validated(download.value.path())
    page.click(".more summary")
    page.select_option("#formats", "stl")
    with page.expect_download() as download:
        page.click("#export button")
    said["exported"] = f"{download.value.suggested_filename}, {Path(download.value.path()).stat().st_size} bytes"
    page.click("#compare")
    shot(page, pictures, "compare-light")
    page.click("#theme")
    page.click("#compare")
    said["axe"]["model, dark"] = violations(page)
    shot(page, pictures, "model-dark")
    page.set_viewport_size(PHONE)
    page.evaluate("scrollTo(0, 0)")
    shot(page, pictures, "phone-model-dark")
    said["axe"]["phone, dark"] = violations(page)
    page.click("#theme")
    page.click("#again")
    page.evaluate("scrollTo(0, 0)")
    shot(page, pictures, "phone-start-light")
    said["wider than a phone by, px"] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.set_viewport_size(DESKTOP)
    said["keyboard"] = by_keyboard(page, address)
    said["hosts"], said["asked of the world"], said["errors"] = sorted(hosts), list(world.asked), broken
    page.close()
    return said


def visitors(address: str, process: subprocess.Popen) -> dict:
    """Five at once with a picture each, the worker killed while it makes the second one's."""
    from served import children, resident_mb, until_ready

    client, ended = Client(address), {}
    pictures = [client.file(path) for path in client.health()["examples"]]
    before, begun = resident_mb(process.pid), time.perf_counter()
    jobs = [client.submit(image=picture) for picture in pictures]

    def wait(number: int) -> None:
        state = list(client.watch(jobs[number]["id"]))[-1]
        ended[number] = (state["status"], round(time.perf_counter() - begun, 1))

    threads = [threading.Thread(target=wait, args=[number]) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    while client.state(jobs[1]["id"])["stage"] not in ("mesh", "texture"):
        time.sleep(0.05)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    for thread in threads:
        thread.join()
    until_ready(address)
    return {
        "five visitors, the worker killed in the second's": [ended[number] for number in range(len(jobs))],
        "the server before and after, MB": [round(before), round(resident_mb(process.pid))],
    }


def validated(path: Path) -> str:
    """What Khronos' validator says of a GLB."""
    import gltf_validator

    if problem := gltf_validator.unavailable():
        return f"not run: {problem}"
    gltf_validator.report_of(path)
    return "nothing found"


def command_line() -> float:
    """Wall seconds of `run.py` on the same picture, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        command = [sys.executable, str(ROOT / "run.py"), "--image", str(TOY), "--model", "preview", "--quiet"]
        subprocess.run([*command, "--out", f"{folder}/toy.glb"], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
        return time.perf_counter() - begun


def painted(page) -> float:
    """When something was painted first, s after the navigation."""
    asked = "performance.getEntriesByName('first-contentful-paint').map((each) => each.startTime)"
    while not (found := page.evaluate(asked)):
        time.sleep(0.01)
    return found[0] / 1e3


def first_paint(browser) -> tuple[subprocess.Popen, str, dict]:
    """A server, and how long it took from its command to the page, and to the first paint of it in the browser.

    Beside it, in the same moment, what the browser takes to paint two letters: on a busy machine that is most of it.
    """
    page, other = browser.new_page(viewport=DESKTOP), browser.new_page(viewport=DESKTOP)
    page.goto("data:text/html,<p>hi")  # the browser's own beginnings are not the page's
    painted(page)
    process, address, begun = start()
    urllib.request.urlopen(address).read()
    said = {"command to the whole page, s": time.perf_counter() - begun}
    page.goto(address, wait_until="commit")
    origin = time.perf_counter() - begun - page.evaluate("performance.now()") / 1e3
    said["command to first paint, s"] = origin + painted(page)
    said["loaded"] = loaded(process, "torch", "onnxruntime", "scipy")
    spent = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    spent = (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")
    said["processor seconds of the server until then"] = spent
    other.goto("data:text/html,<p>hi", wait_until="commit")
    said["first paint of a page that says hi, s"] = painted(other)
    page.goto(address, wait_until="commit")
    said["first paint of this page once more, s"] = painted(page)
    page.close()
    other.close()
    return process, address, said


def main() -> None:
    """See the head of this file."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="a Chromium's program")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    parser.add_argument("--out", type=Path, help="file for the table")
    args = parser.parse_args()
    if args.pictures is not None:
        make_folder(args.pictures)
    world = World()
    with sync_playwright() as playwright:
        proxy = {"server": f"http://127.0.0.1:{world.server_address[1]}", "bypass": "127.0.0.1"}
        browser = playwright.chromium.launch(executable_path=args.chromium, args=list(FLAGS), proxy=proxy)
        process, address, said = first_paint(browser)
        try:
            while Client(address).health()["worker"] != "ready":
                time.sleep(0.2)
            said["command line, s"] = command_line()
            said |= flow(browser, address, world, args.pictures)
            said |= visitors(address, process)
        finally:
            process.terminate()
            process.wait()
        browser.close()
    said["load average of the machine"] = os.getloadavg()[1]
    text = table(said)
    sys.stdout.write(text)
    if args.out is not None:
        write_file(args.out, text)
    serious = [each for found in said["axe"].values() for each in found if each.startswith(("serious", "critical"))]
    foreign = [host for host in said["hosts"] if host not in (address, "data:")]
    bad = (
        serious or foreign or said["asked of the world"] or said["errors"] or said["colours"] <= 5000 or said["loaded"]
    )
    sys.exit(1 if bad else 0)


def table(said: dict) -> str:
    """The numbers as Markdown."""
    rows = []
    for name, value in said.items():
        shown = f"{value:.2f}" if isinstance(value, float) else json.dumps(value, default=str)
        if name == "axe":
            shown = "; ".join(f"{where}: {', '.join(found) or 'none'}" for where, found in value.items())
        if name == "middle":
            shown = "{:.2f}, {:.2f}".format(*value)
        rows.append(f"| {name} | {shown.replace('|', '/')} |\n")
    head = (
        "# The page in a browser\n`python benchmarks/page.py --pictures docs/page --out benchmarks/results/page.md`\n\n"
    )
    return head + "| what | found |\n|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    main()
