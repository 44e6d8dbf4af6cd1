"""``run.py render objects``: lit pictures of objects with their true alpha, to train the cutout network on."""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from zero123pp.pipelines.inputs import Shard

_GENERATED = "generated"
"""Class of the generator's objects."""
_PICTURES_OF_GENERATED = 3
_SEED = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render objects``."""
    add = parser.add_argument
    add("--solids", required=True, metavar="DIR", help="folder that 'run.py render solids' wrote")
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the lights")
    add("--out", required=True, metavar="DIR", help="folder for <class>/<object>_<number>.png; pictures there are kept")
    add(
        "--pictures", type=int, default=1, metavar="N", help="pictures an object; up to 6 times as many of a rare class"
    )
    add("--generated", type=int, default=350, metavar="N", help="objects of the generator, three pictures each (350)")
    add("--size-px", type=int, default=192, metavar="PX", help="side of the rendered square before cropping (192)")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")


def run(args: argparse.Namespace) -> int:
    """Renders what is missing; returns the exit code."""
    from zero123pp.pipelines.training_data import picture_counts, render_pictures
    from zero123pp.train.one_view import Solid, SolidStore, generated, read_lights

    shard, store, lights = Shard.parse(args.shard), SolidStore(args.solids), read_lights(args.panoramas)
    classes = store.classes()
    counts = picture_counts(classes, args.pictures) | {_GENERATED: _PICTURES_OF_GENERATED}

    def objects() -> Iterator[tuple[str, str]]:
        yield from ((kind, name) for kind, names in classes.items() for name in names)
        yield from ((_GENERATED, f"{_GENERATED}{number}") for number in range(args.generated))

    def solid_of(kind: str, name: str) -> Solid:
        if kind != _GENERATED:
            return store.load(kind, name)
        return generated(np.random.default_rng([_SEED, int(name.removeprefix(_GENERATED))]))

    for row, (kind, name) in enumerate(objects()):
        if shard.has(row):
            folder = Path(args.out) / kind
            render_pictures(partial(solid_of, kind, name), name, folder, counts[kind], args.size_px, lights)
    return 0
