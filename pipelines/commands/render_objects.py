"""``run.py render objects``: lit pictures of meshes with their true alpha, to train the cutout network on."""

import argparse
import sys
from pathlib import Path

from zero123pp.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render objects``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="DIR", help="folder of meshes; a MANIFEST.json there may name their kind")
    add("--out", required=True, metavar="DIR", help="folder for <kind>/<mesh>_<number>.png; pictures there are kept")
    add("--pictures", type=int, default=4, metavar="N", help="pictures a mesh; up to 6 times as many of a rare kind")
    add("--size-px", type=int, default=224, metavar="PX", help="side of the rendered square before cropping (224)")


def run(args: argparse.Namespace) -> int:
    """Renders what is missing; returns the exit code."""
    from zero123pp.pipelines.inputs import find_meshes, read_manifest
    from zero123pp.pipelines.training_data import picture_counts, render_pictures

    meshes = find_meshes(args.meshes)
    entries = read_manifest(args.meshes)
    kinds = {name: str(entry.get("kind", "object")) for name, entry in entries.items()}
    counts = picture_counts([kinds.get(mesh.stem, "object") for mesh in meshes], args.pictures)
    for mesh in meshes:
        kind = kinds.get(mesh.stem, "object")
        try:
            render_pictures(mesh, Path(args.out) / kind, counts[kind], args.size_px)
        except BadInput as error:
            sys.stderr.write(f"left out: {error}\n")
    return 0
