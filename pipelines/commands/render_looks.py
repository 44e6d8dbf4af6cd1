"""``run.py render looks``: fitted surfaces and the truth of them, to train the network that corrects them on."""

import argparse
import sys

from zero123pp.errors import BadInput, ConfigError, StageFailed
from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.inputs import Shard, find_meshes, find_pictures, read_image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render looks``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="DIR", help="folder of meshes; y up, front at +z")
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the lights")
    add("--out", required=True, metavar="DIR", help="folder for <mesh>.npz; what is there is kept")
    add("--variations", type=int, default=0, metavar="N", help="objects to make of each mesh beside itself: turned, "
        "stretched, bent, printed on (default 0)")  # fmt: skip
    add("--prints", metavar="DIR", help="folder of pictures to print on them; without, they keep their colours")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")
    common_flags.add_config(parser)
    common_flags.add_seed(parser)


def run(args: argparse.Namespace) -> int:
    """Makes what is missing; returns the exit code."""
    from zero123pp.configs import load
    from zero123pp.files import make_folder
    from zero123pp.pipelines.evaluation import Degradation, EvaluationSettings, true_looks
    from zero123pp.pipelines.image_to_mesh import PipelineConfig
    from zero123pp.train.correction import LookStore

    shard, store = Shard.parse(args.shard), LookStore(make_folder(args.out))
    settings = EvaluationSettings(
        config=load(PipelineConfig, args.preset, args.set), degradation=Degradation(), seed=args.seed,
        lighting=common_flags.lighting(args.panoramas),
    )  # fmt: skip
    if args.variations < 0:
        raise ConfigError(f"--variations is {args.variations}; expected a number of at least 0")
    prints = [read_image(file)[..., :3] for file in find_pictures([args.prints])] if args.prints else []
    for row, mesh in enumerate(find_meshes(args.meshes)):
        for number in range(1 + args.variations if shard.has(row) else 0):
            name = store.name_of(mesh.stem, number)
            if store.has(name):
                continue
            try:
                looks = true_looks(mesh, settings, number=number, prints=prints)
            except ConfigError:
                raise
            except (BadInput, StageFailed) as error:
                sys.stderr.write(f"left out {name}: {error}\n")
                continue
            store.save(name, looks)
    return 0
