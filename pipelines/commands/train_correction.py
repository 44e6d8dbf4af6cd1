"""``run.py train correction``: from a folder of looks to ``correction.onnx``."""

import argparse
import dataclasses
from pathlib import Path

from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.progress import tell_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train correction``."""
    add = parser.add_argument
    add("--looks", required=True, metavar="DIR", help="folder that 'run.py render looks' wrote")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl and the graph; resumed from")
    common_flags.add_training(parser, "looks")


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and writes the graph."""
    import torch

    from zero123pp.train.correction import CorrectionTrainConfig, LookStore, export_correction, train

    torch.set_num_threads(args.threads)
    config = dataclasses.replace(CorrectionTrainConfig(), **common_flags.training_choices(args))
    checkpoint = train(LookStore(args.looks), args.out, config, progress=tell_training)
    export_correction(checkpoint, Path(args.out) / "correction.onnx")
    return 0
