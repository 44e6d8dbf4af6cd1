"""``run.py train one-view``."""

import argparse
import dataclasses
from pathlib import Path

from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.progress import tell_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train one-view``."""
    add = parser.add_argument
    add("--solids", required=True, metavar="DIR", help="folder that 'run.py render solids' wrote")
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the lights")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl and the weights; resumed from")
    add(
        "--start",
        default="imagenet",
        metavar="FROM",
        help="weights of a new run: imagenet (the encoder's), nothing, or a folder of exported ones (imagenet)",
    )
    add("--generated", type=float, metavar="SHARE", help="share of generated objects, 0 to 1 (default: 0.5)")
    common_flags.add_training(parser)


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and writes the weights."""
    import torch

    from zero123pp.train.one_view import OneViewTrainConfig, SolidStore, export_checkpoint, read_lights, train

    torch.set_num_threads(args.threads)
    config = dataclasses.replace(OneViewTrainConfig(), **common_flags.training_choices(args, "generated"))
    store, lights = SolidStore(args.solids), read_lights(args.panoramas)
    checkpoint = train(store, lights, args.out, config, start=args.start, progress=tell_training)
    export_checkpoint(checkpoint, store, lights, Path(args.out))
    return 0
