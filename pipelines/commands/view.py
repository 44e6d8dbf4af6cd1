"""A finished .glb in the browser, to turn and look at, without a network: `zero123pp view toy.glb`."""

import argparse
import re
import sys
import tempfile
import webbrowser
from pathlib import Path

from zero123pp.errors import BadInput

LARGEST_MB = 200
"""Browsers do not open much larger pages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``view`` to ``parser``."""
    parser.add_argument("model", metavar="FILE.glb", help="the model, .glb, or .gltf with everything in it")
    parser.add_argument("--html", metavar="FILE", help="write the page there, to keep or to send, and open no browser")


def run(args: argparse.Namespace) -> int:
    """Write the page and show it; 0, also where there is no browser: then the page's place is told."""
    from zero123pp.files import check_folder, write_file
    from zero123pp.own import check_own
    from zero123pp.pipelines.viewer import model_page

    model, suffix = _read(Path(args.model))
    if args.html:
        check_folder(Path(args.html))
        check_own(args.html, ".html")
    title = Path(args.model).stem
    page = model_page(title, model, suffix=suffix, summary=f"{Path(args.model).name}, {len(model) / 1e6:.2f} MB")
    target = Path(args.html) if args.html else Path(tempfile.mkdtemp(prefix="zero123pp-"), "view.html")
    write_file(target, page)
    if args.html:
        sys.stderr.write(f"{target}: {len(page) / 1e6:.2f} MB, opens in any browser, needs no network\n")
    elif webbrowser.open(target.as_uri()):
        sys.stderr.write(f"opened {target} in the browser\n")
    else:
        sys.stderr.write(f"no browser was found here; open {target} in one, or name the page with --html\n")
    return 0


def _read(path: Path) -> tuple[bytes, str]:
    from zero123pp.pipelines.viewer import KINDS

    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise BadInput(f"cannot show {path.name}: expected .glb or .gltf; --out writes those")
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"cannot read {path}: it is no file")
        size = path.stat().st_size
        if size > LARGEST_MB * 1e6:
            raise BadInput(f"{path} has {size / 1e6:.0f} MB; a page takes up to {LARGEST_MB} MB")
        model = path.read_bytes()
    except BadInput:
        raise
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    if suffix == ".glb" and model[:4] != b"glTF":
        raise BadInput(f"{path} is no .glb: its first bytes are {model[:4]!r}, not b'glTF'")
    if suffix == ".gltf" and (others := set(re.findall(rb'"uri"\s*:\s*"(?!data:)([^"]+)"', model))):
        named = ", ".join(sorted(name.decode("utf-8", "replace") for name in others))
        raise BadInput(f"{path} needs {named} beside it; a page can only show a file that has everything in it")
    return model, suffix
