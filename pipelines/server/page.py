"""The page: its files by their addresses, read once; and the hashes of the style sheets that the viewer brings."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from zero123pp.pipelines.viewer import ELEMENT, OFFLINE, viewer_file

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "png": "image/png",
}
EXAMPLES = ("toy", "truck", "bird", "mushroom", "fish")
"""Pictures made by this project (benchmarks/illustrations.py), to try without one of one's own."""


@dataclass(frozen=True)
class PageFile:
    """One file of the page."""

    content: bytes
    type: str
    tag: str
    """Changes with the content."""


@cache
def page_files() -> dict[str, PageFile]:
    """Address to file: nothing else is ever served."""
    folder = files(__package__) / "static"
    names = [each.name for each in folder.iterdir() if each.name.rpartition(".")[2] in TYPES]
    found = {f"/static/{name}": (folder / name).read_bytes() for name in names}
    found |= {f"/static/{name}": viewer_file(name) for name in (OFFLINE, ELEMENT)}
    found["/"] = found.pop("/static/index.html")
    return {path: _file(path, content) for path, content in found.items()}


def example(name: str) -> bytes:
    """One of `EXAMPLES`, a WebP."""
    return page_files()[f"/static/example-{name}.webp"].content


@cache
def style_hashes() -> tuple[str, ...]:
    """SHA-256, as a content security policy has it, of each ``<style>`` in the viewer's templates."""
    text = viewer_file(ELEMENT).decode()
    sheets = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    return tuple(base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in sheets)


def _file(path: str, content: bytes) -> PageFile:
    suffix = "html" if path == "/" else path.rpartition(".")[2]
    return PageFile(content, TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:16]}"')
