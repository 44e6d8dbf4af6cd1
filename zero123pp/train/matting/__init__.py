"""Training of the bundled cutout network on composed pictures: objects with known alpha over photographs.

The command takes a folder of object pictures (RGBA; `zero123pp.pipelines.cutout.render_objects` makes one from
meshes) and a folder of panoramas to take the photographs from.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train matting``."""
    add = parser.add_argument
    add(
        "--objects", required=True, metavar="DIR", help="PNG pictures with alpha, in one folder or one a kind of object"
    )
    add("--panoramas", required=True, metavar="DIR", help="equirectangular .hdr environment maps for the backgrounds")
    add("--hold-out", default="", metavar="NAMES", help="comma-separated panoramas kept for validation, without suffix")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl and bundled.onnx; resumed from")
    add("--steps", type=int, metavar="N", help="optimiser steps in all (default: the recipe's)")
    add("--size-px", type=int, metavar="PX", help="side of the training pictures, a multiple of 32 (default: 160)")
    add("--seed", type=int, default=0, metavar="N", help="fixes every random choice (default: 0)")
    add("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of the training process (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Trains and exports; returns the exit code."""
    from zero123pp.train.matting.command import run as run_training

    return run_training(args)
