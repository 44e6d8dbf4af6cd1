"""The name of a file of the vendored `<model-viewer>` comes in, its bytes go out: a page with it asks nobody else."""

from functools import cache
from importlib.resources import files

OFFLINE = "model-viewer.offline.js"
"""Runs before `ELEMENT`, and keeps it from fetching decoders from other people's servers."""
ELEMENT = "model-viewer.min.js"
"""An ES module that defines the element `<model-viewer>`, three.js within; 1.07 MB, 289 kB compressed."""


@cache
def viewer_file(name: str) -> bytes:
    """Content of `OFFLINE` or `ELEMENT`, to be served or written into a page (both are ES modules, in this order)."""
    return (files(__package__) / "static" / name).read_bytes()
