"""``run.py render solids``: meshes decoded once, for the training of the one-picture network to render from."""

import argparse
import sys

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import Shard, find_meshes, read_manifest

_CLASS_OF_GROUP = {
    "ycb": "scan", "gso": "scan", "polyhaven": "scan", "khronos": "scan",
    "gazebo": "model", "smallhouse": "model", "bookstore": "model", "kenneycity": "model",
    "market": "market",
}  # fmt: skip
"""Class of a manifest's groups; of all others it is ``kit``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render solids``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="DIR", help="folder of meshes; a MANIFEST.json there may name groups")
    add("--out", required=True, metavar="DIR", help="folder for <class>/<mesh>.npz; what is there is kept")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")


def run(args: argparse.Namespace) -> int:
    """Decodes what is missing; returns the exit code."""
    from zero123pp.pipelines.training_data import solid_of
    from zero123pp.train.one_view import SolidStore

    shard, store = Shard.parse(args.shard), SolidStore(args.out)
    groups = {name: str(entry.get("group")) for name, entry in read_manifest(args.meshes).items()}
    for row, mesh in enumerate(find_meshes(args.meshes)):
        kind = _CLASS_OF_GROUP.get(groups.get(mesh.stem, ""), "kit")
        if not shard.has(row) or store.path(kind, mesh.stem).is_file():
            continue
        try:
            store.save(kind, mesh.stem, solid_of(mesh))
        except BadInput as error:
            sys.stderr.write(f"left out: {error}\n")
    return 0
