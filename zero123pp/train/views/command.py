"""``run.py train views``."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from zero123pp.configs import load
from zero123pp.errors import BadInput
from zero123pp.train.views.config import ViewsTrainConfig, preset_path


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and exports."""
    import torch

    from zero123pp.train.views.export import export_model
    from zero123pp.train.views.loop import process_state, train
    from zero123pp.train.views.scratch import SMALL, refit_decoder
    from zero123pp.train.views.state import CHECKPOINT
    from zero123pp.train.weights import load_checkpoint

    if args.threads:
        torch.set_num_threads(args.threads)
    start = [f"start={args.start}"] if args.start else []
    config = load(ViewsTrainConfig, preset_path(args.config), [*args.set, *start])
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    out = Path(args.out)
    checkpoint = out / CHECKPOINT
    if args.data is None and (args.refit_decoder or not args.export):
        raise BadInput("--data is missing; name a folder of samples, which 'run.py render views' makes")
    if (args.export or args.refit_decoder) and not checkpoint.is_file():
        raise BadInput(f"there is no {checkpoint} to export")
    if args.refit_decoder and config.start not in SMALL:
        raise BadInput(f"--refit-decoder is for {', '.join(SMALL)}, which start from nothing; got {config.start!r}")
    process = process_state(device)
    with process.main_process_first():
        open_start = _start(config, out, args)
    if args.refit_decoder and process.is_main_process:
        refit_decoder(out / "start", args.data, config, progress=_report)
    elif not (args.export or args.refit_decoder):
        train(
            open_start(), args.data, out, config, device=device,
            carry_over=None if args.carry_over is None else Path(args.carry_over), progress=_report,
        )  # fmt: skip
    if process.is_main_process:
        export_model(open_start(), load_checkpoint(checkpoint), config, out / "model")
    return 0


def _start(config: ViewsTrainConfig, out: Path, args: argparse.Namespace) -> Callable[[], object]:
    """What opens the pipeline that the run starts from; a small model is built once and kept in the run's folder."""
    from zero123pp.train.views.scratch import SMALL, build_start
    from zero123pp.train.views.start import open_start

    source = config.start
    if source in SMALL:
        source = str(build_start(out / "start", args.data, config, progress=_report))
    return partial(open_start, source, vision=config.vision, download=args.download)


def _report(done: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rtraining {done:6.1%}")
        sys.stderr.flush()
