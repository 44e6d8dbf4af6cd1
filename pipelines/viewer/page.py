"""A model comes in, one HTML file to turn it in goes out: the viewer is inside, and no request leaves the page."""

import base64
import hashlib
import html
from collections.abc import Sequence

from zero123pp.own import PAGE_MARK
from zero123pp.pipelines.viewer.static_files import ELEMENT, OFFLINE, viewer_file

KINDS = {".glb": "model/gltf-binary", ".gltf": "model/gltf+json"}
"""Suffixes of the files that can be shown."""


def model_page(
    title: str, model: bytes, *, suffix: str = ".glb", summary: str = "", sections: Sequence[str] = ()
) -> str:
    """The page.

    Args:
        title: any text; of the page, and what a screen reader says of the model.
        model: content of a .glb, or of a .gltf that needs no other files.
        suffix: which of them, a key of `KINDS`.
        summary: one line under the title, any text.
        sections: HTML to stand under the model.

    Returns:
        HTML. Its policy lets the page run the scripts that are in it and read what is in it, nothing else.
    """
    scripts = [viewer_file(name).decode() for name in (OFFLINE, ELEMENT, "page.js")]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; connect-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        viewer_file("page.html")
        .decode()
        .format(
            mark=PAGE_MARK,
            policy=policy,
            title=_text(title),
            style=viewer_file("page.css").decode(),
            summary=_text(summary),
            kind=KINDS[suffix],
            model=base64.b64encode(model).decode(),
            sections="\n".join(sections),
            scripts="\n".join(f'<script type="module">{script}</script>' for script in scripts),
        )
    )


def _text(words: str) -> str:
    """Any text as HTML, names of files that are no UTF-8 too."""
    return html.escape(words.encode("utf-8", "replace").decode())
