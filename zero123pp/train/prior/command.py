"""``run.py train prior``."""

import argparse
import dataclasses
import sys

from zero123pp.errors import BadInput


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes."""
    import torch

    from zero123pp.train.prior.export import export_prior
    from zero123pp.train.prior.lighting import read_lights
    from zero123pp.train.prior.train import PriorTrainConfig, train

    torch.set_num_threads(args.threads)
    given = {"steps": args.steps, "batch": args.batch, "seed": args.seed, "workers": args.workers}
    config = dataclasses.replace(PriorTrainConfig(), **{k: v for k, v in given.items() if v is not None})
    try:
        lights = read_lights(args.panoramas)
    except ValueError as error:
        raise BadInput(f"{args.panoramas} has no .hdr panoramas for the lights") from error
    checkpoint = train(args.data, lights, args.out, config, device=args.device, progress=_report)
    export_prior(checkpoint, args.out)
    return 0


def _report(done: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rtraining {done:6.1%}")
        sys.stderr.flush()
