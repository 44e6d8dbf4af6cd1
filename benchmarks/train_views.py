"""Throughput of the training of views, against the same model trained naively, in one run.

    python benchmarks/train_views.py --data SHARDS --start RUN/start [--device cuda] [--threads 2] [--set batch=64]

Both train the same model (preset `mini`) on the same batches with the same loss, samples drawn and encoded included.
The naive way is what a first implementation does: weights in float32, torch's fused attention, a plain AdamW that loops
over the parameters, a running mean kept by a loop, the VAE's blocks all computed. Turns alternate, so that other work
on the machine slows both alike; on a processor the seconds are those of the processor.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from zero123pp.configs import load
from zero123pp.train.views import conditions
from zero123pp.train.views.config import ViewsTrainConfig, preset_path
from zero123pp.train.views.dataset import Item, Pool, ViewItems
from zero123pp.train.views.loop import batch_losses
from zero123pp.train.views.start import open_start
from zero123pp.train.views.state import RunState

Step = Callable[[Item], float]


def main() -> None:
    """Measure, print the row and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of samples")
    parser.add_argument("--start", type=Path, required=True, help="start/ of a run of the preset mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3, help="turns of each way after one that is not counted")
    parser.add_argument("--set", action="append", default=[], help="any value of the training's config")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/train_views.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    row = measure(args)
    args.out.write_text(json.dumps(row, indent=1) + "\n", "utf-8")
    sys.stdout.write(json.dumps(row, indent=1) + "\n")


def measure(args: argparse.Namespace) -> dict:
    """Samples a second of both ways."""
    config = load(ViewsTrainConfig, preset_path("mini"), args.set)
    device = torch.device(args.device)
    geometry, ways = None, {}
    for name, make in (("here", recipe_step), ("naive", naive_step)):
        ways[name], geometry = make(open_start(str(args.start), vision=""), config, device)
    items = ViewItems(Pool(args.data, held_out=False, balance=config.balance), geometry, config, group=config.batch)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.turns + 1):
        for name, step in ways.items():
            start = clock()
            numbers = range(turn * config.batch, (turn + 1) * config.batch)
            step(torch.utils.data.default_collate([items[i] for i in numbers]))
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(clock() - start)
    # The fastest turn is the one that other work disturbed least.
    best = {name: min(each[1:]) for name, each in seconds.items()}
    unit = "samples_per_processor_second" if device.type == "cpu" else "samples_per_second"
    return {
        "command": f"python benchmarks/train_views.py --data SHARDS --start RUN/start --device {args.device} "
        f"--threads {args.threads} --turns {args.turns}" + "".join(f" --set {value}" for value in args.set),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {args.threads} threads",
        "batch": config.batch,
        unit: {name: round(config.batch / value, 2) for name, value in best.items()},
        "ratio": round(best["naive"] / best["here"], 2),
        "seconds_of_each_turn": {name: [round(s, 3) for s in each] for name, each in seconds.items()},
    }


def recipe_step(pipeline: object, config: ViewsTrainConfig, device: torch.device) -> tuple[Step, object]:
    """A step as training makes it."""
    state = RunState(pipeline, Path("no-checkpoint"), config, device)

    def step(item: Item) -> float:
        losses = batch_losses(state.denoiser, state, item)
        losses["loss"].backward()
        return state.weights.update(1e-6)

    return step, state.geometry


def naive_step(pipeline: object, config: ViewsTrainConfig, device: torch.device) -> tuple[Step, object]:
    """A step as a first implementation makes it, in float32."""
    from dataclasses import replace

    skip, conditions._skip_idle_blocks = conditions._skip_idle_blocks, lambda _module: None
    plain = replace(config, precision="float32", attention="fused")
    state = RunState(pipeline, Path("no-checkpoint"), plain, device)
    conditions._skip_idle_blocks = skip
    trained = [parameter for parameter in state.denoiser.parameters() if parameter.requires_grad]
    means = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.AdamW(trained, lr=1e-6, foreach=False)

    def step(item: Item) -> float:
        losses = batch_losses(state.denoiser, state, item)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained, config.clip)
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            for mean, parameter in zip(means, trained):
                mean.mul_(config.ema).add_(parameter, alpha=1 - config.ema)
        return float(losses["loss"].detach())

    return step, state.geometry


if __name__ == "__main__":
    main()
