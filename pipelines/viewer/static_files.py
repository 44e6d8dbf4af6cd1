"""Files that pages are made of: the vendored `<model-viewer>`, which asks nobody else for anything, and our own."""

from functools import cache
from importlib.resources import files

OFFLINE = "model-viewer.offline.js"
"""Runs before `ELEMENT`, and keeps it from fetching decoders from other people's servers."""
ELEMENT = "model-viewer.min.js"
"""An ES module that defines the element `<model-viewer>`, three.js within; 1.07 MB, 289 kB compressed."""


@cache
def viewer_file(name: str) -> bytes:
    """Content of a file of static/; `OFFLINE` and `ELEMENT` are ES modules for a page, in this order."""
    return (files(__package__) / "static" / name).read_bytes()
