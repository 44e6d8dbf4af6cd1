"""The docs as a site: `python -m sphinx -W -b html docs OUT`, with the extra `docs`.

Sphinx with Furo and MyST, because pages stay plain Markdown that reads well where the code is hosted, docstrings become
the reference without a second copy, and every broken link or name is an error. The newer generators read docstrings
through plug-ins only, and change from month to month.
"""

import re

import zero123pp

project = "zero123pp"
author = copyright = "the authors of zero123pp"
version = release = zero123pp.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"zero123pp {release}"
html_static_path = []
html_show_copyright = False
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # results begin at a second level: they are parts of other pages too
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_preserve_defaults = True
add_module_names = False
highlight_language = "text"


def _plain_code(app: object, what: str, name: str, object: object, options: object, lines: list[str]) -> None:
    """Docstrings say `name` for code, as Markdown does."""
    if what == "attribute":  # napoleon takes what stands before a colon for a type
        lines[:] = [line.replace(": ", "; ") for line in lines]
    lines[:] = [re.sub(r"(?<![`:])`([^`\n]+)`(?![`_])", r"``\1``", line) for line in lines]


def _links_out(app: object, docname: str, source: list[str]) -> None:
    """Links to files beside docs/ become their names; SECURITY.md has a page here."""
    text = source[0].replace("(../SECURITY.md)", "(security.md)")
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./(?:\.\./)?([\w./-]+)\)", r"\1 (`\2`)", text)


def setup(app: object) -> None:
    """What Sphinx calls first."""
    app.connect("autodoc-process-docstring", _plain_code, priority=400)  # before napoleon
    app.connect("source-read", _links_out)
