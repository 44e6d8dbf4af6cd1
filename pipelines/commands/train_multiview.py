"""``run.py train multiview``."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.common_flags import positive_int
from zero123pp.pipelines.progress import tell_training

if TYPE_CHECKING:
    from zero123pp.train.multiview import ViewsTrainConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py train multiview``."""
    add = parser.add_argument
    add("--config", default="phase1", metavar="NAME", help="phase1, phase2, depth, normals, refiner, refiner2, "
        "mini, mini-depth, mini-normals, mini-refiner, or a YAML file (default: phase1)")  # fmt: skip
    add("--data", metavar="DIR", help="folder of samples that 'run.py render multiview' wrote, or InstantMesh's layout")
    add("--out", required=True, metavar="DIR", help="folder of checkpoint.pt, log.jsonl, samples/ and, at the end, "
        "model/; resumed from")  # fmt: skip
    add("--start", metavar="FOLDER|HUB_ID", help="weights to start from: Zero123++ or Stable Diffusion (default: "
        "the config's)")  # fmt: skip
    add("--carry-over", metavar="FILE", help="checkpoint.pt of an earlier phase, whose weights and optimiser state "
        "this one takes over")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any config value, for example batch=32")
    add("--download", action="store_true", help="agree to download weights that are not here")
    add("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    add("--threads", type=positive_int, metavar="N", help="CPU threads of a process (default: torch's choice)")
    add("--export", action="store_true", help="train nothing: only write model/ from the checkpoint")
    add("--refit-decoder", action="store_true", help="train nothing: fit the decoder of the small model in start/ for "
        "codec_steps more, then write model/ from the checkpoint")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Trains, or resumes, and exports."""
    import torch

    from zero123pp.configs import load
    from zero123pp.train import load_checkpoint
    from zero123pp.train.multiview import (
        CHECKPOINT,
        SMALL,
        ViewsTrainConfig,
        export_model,
        preset_path,
        process_state,
        refit_decoder,
        train,
    )

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    start = [f"start={args.start}"] if args.start else []
    config = load(ViewsTrainConfig, preset_path(args.config), [*args.set, *start])
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    out = Path(args.out)
    checkpoint = out / CHECKPOINT
    if args.data is None and (args.refit_decoder or not args.export):
        raise BadInput("--data is missing; name a folder of samples, which 'run.py render multiview' makes")
    if (args.export or args.refit_decoder) and not checkpoint.is_file():
        raise BadInput(f"there is no {checkpoint} to export")
    if args.refit_decoder and config.start not in SMALL:
        raise BadInput(f"--refit-decoder is for {', '.join(SMALL)}, which start from nothing; got {config.start!r}")
    process = process_state(device)
    with process.main_process_first():
        open_start = _start(config, out, args)
    if args.refit_decoder and process.is_main_process:
        refit_decoder(out / "start", args.data, config, progress=tell_training)
    elif not (args.export or args.refit_decoder):
        train(
            open_start(), args.data, out, config, device=device,
            carry_over=None if args.carry_over is None else Path(args.carry_over), progress=tell_training,
        )  # fmt: skip
    if process.is_main_process:
        export_model(open_start(), load_checkpoint(checkpoint), config, out / "model")
    return 0


def _start(config: "ViewsTrainConfig", out: Path, args: argparse.Namespace) -> Callable[[], object]:
    """What opens the pipeline that the run starts from; a small model is built once and kept in the run's folder."""
    from zero123pp.train.multiview import REFINING, SMALL, build_start, open_start

    source = config.start
    if source in SMALL:
        source = str(build_start(out / "start", args.data, config, progress=tell_training))
    predicts = config.prediction if config.phase in REFINING else None
    return partial(open_start, source, vision=config.vision, download=args.download, predicts=predicts)
