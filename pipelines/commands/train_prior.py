"""``run.py train prior``."""

import argparse
import dataclasses

from zero123pp.pipelines.progress import tell_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train prior``."""
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="folder that 'run.py render shapes' wrote")
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the lights")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt and log.jsonl; resumed from")
    add("--steps", type=int, metavar="N", help="optimiser steps in all (default: the recipe's)")
    add("--batch", type=int, metavar="N", help="samples a step (default: the recipe's)")
    add("--seed", type=int, default=0, metavar="N", help="fixes every random choice (default: 0)")
    add("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    add("--workers", type=int, metavar="N", help="processes that draw samples (default: the recipe's)")
    add("--threads", type=int, default=2, metavar="N", help="CPU threads of the training process (default: 2)")


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes."""
    import torch

    from zero123pp.train.one_view import read_lights
    from zero123pp.train.prior import PriorTrainConfig, export_prior, train

    torch.set_num_threads(args.threads)
    given = {"steps": args.steps, "batch": args.batch, "seed": args.seed, "workers": args.workers}
    config = dataclasses.replace(PriorTrainConfig(), **{k: v for k, v in given.items() if v is not None})
    checkpoint = train(
        args.data, read_lights(args.panoramas), args.out, config, device=args.device, progress=tell_training
    )
    export_prior(checkpoint, args.out)
    return 0
