"""``run.py train correction``: from a folder of looks to ``correction.onnx``."""

import argparse
import dataclasses
from pathlib import Path

from zero123pp.pipelines.commands.common_flags import positive_int
from zero123pp.pipelines.progress import tell_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train correction``."""
    add = parser.add_argument
    add("--looks", required=True, metavar="DIR", help="folder that 'run.py render looks' wrote")
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="folder of checkpoint.pt, log.jsonl and the graph; resumed from",
    )
    add("--steps", type=positive_int, metavar="N", help="optimiser steps in all (default: the recipe's)")
    add("--batch", type=positive_int, metavar="N", help="looks a step (default: the recipe's)")
    add("--seed", type=int, default=0, metavar="N", help="fixes every random choice (default: 0)")
    add("--workers", type=int, metavar="N", help="processes that draw samples (default: the recipe's)")
    add("--threads", type=positive_int, default=1, metavar="N", help="CPU threads of the training process (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and writes the graph."""
    import torch

    from zero123pp.train.correction import CorrectionTrainConfig, LookStore, export_correction, train

    torch.set_num_threads(args.threads)
    names = ("steps", "batch", "seed", "workers")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    config = dataclasses.replace(CorrectionTrainConfig(), **given)
    checkpoint = train(LookStore(args.looks), args.out, config, progress=tell_training)
    export_correction(checkpoint, Path(args.out) / "correction.onnx")
    return 0
