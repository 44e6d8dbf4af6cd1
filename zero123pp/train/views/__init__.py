"""Training of Zero123++ on rendered views: the report's phases, its ControlNets, and small models from scratch."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train views``."""
    add = parser.add_argument
    add("--config", default="phase1", metavar="NAME", help="phase1, phase2, depth, normals, mini, mini-depth, "
        "mini-normals, or a YAML file (default: phase1)")  # fmt: skip
    add("--data", metavar="DIR", help="folder of samples that 'run.py render views' wrote, or InstantMesh's layout")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl, samples/ and, at the end, "
        "model/; resumed from")  # fmt: skip
    add("--start", metavar="FOLDER|HUB_ID", help="weights to start from: Zero123++ or Stable Diffusion 2 (default: "
        "the config's)")  # fmt: skip
    add("--carry-over", metavar="FILE", help="checkpoint.pt of an earlier phase, whose weights and optimiser state "
        "this one takes over")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any config value, for example batch=32")
    add("--download", action="store_true", help="agree to download weights that are not here")
    add("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads of a process (default: torch's choice)")
    add("--export", action="store_true", help="train nothing: only write model/ from the checkpoint")
    add("--refit-decoder", action="store_true", help="train nothing: fit the decoder of the small model in start/ for "
        "codec_steps more, then write model/ from the checkpoint")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and exports; returns the exit code."""
    from zero123pp.train.views.command import run as run_training

    return run_training(args)
