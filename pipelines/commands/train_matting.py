"""``run.py train matting``: from two folders to ``bundled.onnx``."""

import argparse
import dataclasses
from pathlib import Path

from zero123pp.pipelines.commands.common_flags import positive_int
from zero123pp.pipelines.progress import tell_training

VALIDATION_PAIRS = 192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train matting``."""
    add = parser.add_argument
    add(
        "--objects", required=True, metavar="DIR", help="PNG pictures with alpha, in one folder or one a kind of object"
    )
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the backgrounds")
    add("--hold-out", default="", metavar="NAMES", help="comma-separated panoramas kept for validation, without suffix")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl and bundled.onnx; resumed from")
    add("--steps", type=positive_int, metavar="N", help="optimiser steps in all (default: the recipe's)")
    add(
        "--size-px",
        type=positive_int,
        metavar="PX",
        help="side of the training pictures, a multiple of 32 (default: 224)",
    )
    add("--seed", type=int, default=0, metavar="N", help="fixes every random choice (default: 0)")
    add("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    add("--threads", type=positive_int, default=1, metavar="N", help="CPU threads of the training process (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and writes the ONNX file."""
    import torch

    from zero123pp.train.matting import (
        Compositions,
        MattingTrainConfig,
        export_onnx,
        object_groups,
        photographs_of,
        train,
    )

    torch.set_num_threads(args.threads)
    given = {"steps": args.steps, "size_px": args.size_px, "seed": args.seed}
    config = dataclasses.replace(MattingTrainConfig(), **{k: v for k, v in given.items() if v is not None})
    groups, held_out = object_groups(args.objects)
    names = {name for name in args.hold_out.split(",") if name}
    photographs, unseen = photographs_of(args.panoramas, names, config.seed)

    def pairs(first: int, count: int) -> Compositions:
        weights = [len(group) ** 0.5 for group in groups]
        return Compositions(
            groups, weights, photographs, size_px=config.size_px, count=count, seed=config.seed, first=first
        )

    validation = Compositions(
        [held_out], [1.0], unseen, size_px=config.size_px, count=VALIDATION_PAIRS, seed=config.seed + 1
    )
    checkpoint = train(pairs, validation, args.out, config, device=args.device, progress=tell_training)
    export_onnx(checkpoint, Path(args.out) / "bundled.onnx")
    return 0
