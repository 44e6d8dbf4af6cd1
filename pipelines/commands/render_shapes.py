"""``run.py render shapes``: views and signed distances of meshes, to train the shape prior on."""

import argparse
import json
import sys
import zlib
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.files import make_folder, write_file
from zero123pp.pipelines.inputs import Shard, find_meshes, read_manifest

PASSES = {"scan": 4, "model": 3, "market": 2, "kit": 1}
"""Passes over an object of each class: each has other directions, so what is rare is at least seen from all sides."""

_CLASS_OF_GROUP = {
    "ycb": "scan", "gso": "scan", "polyhaven": "scan", "khronos": "scan",
    "gazebo": "model", "smallhouse": "model", "bookstore": "model", "kenneycity": "model",
    "market": "market", "quaternius": "kit", "kaykit": "kit",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render shapes``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="DIR", help="folder of meshes; a MANIFEST.json there may name groups")
    add("--out", required=True, metavar="DIR", help="folder for <class>/<mesh>.<pass>.npz; what is there is kept")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")
    add("--size-px", type=int, default=128, metavar="PX", help="side of the tiles, px (default: 128)")
    add("--points", type=int, default=24_000, metavar="N", help="points with distances a pass (default: 24000)")
    add("--surface", type=int, default=4096, metavar="N", help="coloured surface points a pass (default: 4096)")


def run(args: argparse.Namespace) -> int:
    """Renders what is missing, in an order in which any first part is a fair sample; returns the exit code."""
    from zero123pp.pipelines.training_data.shapes import render_pass, write_pass

    folder, shard = Path(args.meshes), Shard.parse(args.shard)
    classes = _classes(folder)
    passes = [
        (zlib.crc32(f"{mesh.stem}.{number}".encode()), mesh, number)
        for mesh in find_meshes(folder)
        for number in range(PASSES[classes.get(mesh.stem, "kit")])
    ]
    passes = [each for row, each in enumerate(sorted(passes)) if shard.has(row)]
    failed = {}
    for done, (key, mesh, number) in enumerate(passes):
        target = Path(args.out) / classes.get(mesh.stem, "kit") / f"{mesh.stem}.{number}.npz"
        if not target.exists():
            try:
                write_pass(target, render_pass(mesh, key, args.size_px, args.points, args.surface))
            except BadInput as error:
                failed[mesh.name] = str(error)
                sys.stderr.write(f"left out: {error}\n")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done + 1} of {len(passes)}")
    folder = make_folder(args.out)
    write_file(folder / f"failed_{args.shard.replace('/', '_of_')}.json", json.dumps(failed, indent=1))
    return 0


def _classes(folder: Path) -> dict[str, str]:
    """Mesh name to a key of `PASSES`, from the manifest's groups."""
    return {name: _CLASS_OF_GROUP.get(entry.get("group"), "kit") for name, entry in read_manifest(folder).items()}
