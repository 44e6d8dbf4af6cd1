"""Throughput of the training of views, against the same model trained naively, in one run.

    python benchmarks/train_views.py --data SHARDS --weights RUN/start [--device cuda] [--threads 2] [--set batch=64]
    OMP_NUM_THREADS=1 python -m torch.distributed.run --nproc_per_node 2 benchmarks/train_views.py ...   # two cores

Both train the same model (preset `mini`) on the same batches with the same loss, samples drawn and encoded included.
The naive way is what a first implementation does: weights in float32, torch's fused attention, a plain AdamW that loops
over the parameters, a running mean kept by a loop, the VAE's blocks all computed. Turns alternate, so that other work
on the machine slows both alike; on a processor the seconds are those of the processor. Under torch's launcher the way
here takes one process a core, as training does, with the mean of the gradients in it; the naive way has all these cores
as threads of one process while the others sleep, and the seconds are those of the wall.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from zero123pp.configs import load
from zero123pp.train.multiview import conditions
from zero123pp.train.multiview.config import ViewsTrainConfig, preset_path
from zero123pp.train.multiview.dataset import Item, Pool, ViewItems
from zero123pp.train.multiview.loop import batch_losses
from zero123pp.train.multiview.start import open_start
from zero123pp.train.multiview.state import RunState

Step = Callable[[Item], float]


def main() -> None:
    """Measure, print the row and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of samples")
    parser.add_argument("--weights", type=Path, required=True, help="start/ of a run of the preset mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3, help="turns of each way after one that is not counted")
    parser.add_argument("--set", action="append", default=[], help="any value of the training's config")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/train_views.json"))
    args = parser.parse_args()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        args.threads = 1
        torch.distributed.init_process_group("gloo")
    torch.set_num_threads(args.threads)
    row = measure(args, processes)
    if processes > 1:
        torch.distributed.destroy_process_group()
    if row is None:
        return
    args.out.write_text(json.dumps(row, indent=1) + "\n", "utf-8")
    sys.stdout.write(json.dumps(row, indent=1) + "\n")


def measure(args: argparse.Namespace, processes: int) -> dict | None:
    """Samples a second of both ways; None but in the first process."""
    config = load(ViewsTrainConfig, preset_path("mini"), args.set)
    device, first = torch.device(args.device), processes == 1 or torch.distributed.get_rank() == 0
    geometry, ways = None, {}
    for name, make in (("here", recipe_step), ("naive", naive_step)):
        ways[name], geometry = make(open_start(str(args.weights), vision=""), config, device)
    items = ViewItems(Pool(args.data, held_out=False, balance=config.balance), geometry, config, group=config.batch)
    clock = time.process_time if device.type == "cpu" and processes == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.turns + 1):
        for name, step in ways.items():
            shared = name == "here"
            torch.set_num_threads(args.threads if shared else args.threads * processes)
            wait(processes)
            start = clock()
            numbers = range(turn * config.batch, (turn + 1) * config.batch)
            if shared and processes > 1:
                numbers = numbers[torch.distributed.get_rank() :: processes]
            if shared or first:
                step(torch.utils.data.default_collate([items[i] for i in numbers]))
            wait(processes)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(clock() - start)
    # The fastest turn is the one that other work disturbed least.
    best = {name: min(each[1:]) for name, each in seconds.items()}
    wall = device.type == "cuda" or processes > 1
    launch = f"python -m torch.distributed.run --nproc_per_node {processes}" if processes > 1 else "python"
    device_name = f"cpu, {processes} processes" if processes > 1 else f"cpu, {args.threads} threads"
    row = {
        "command": f"{launch} benchmarks/train_views.py --data SHARDS --weights RUN/start --device {args.device} "
        f"--threads {args.threads} --turns {args.turns}" + "".join(f" --set {value}" for value in args.set),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device_name,
        "batch": config.batch,
        "samples_per_second" if wall else "samples_per_processor_second": {
            name: round(config.batch / value, 2) for name, value in best.items()
        },
        "ratio": round(best["naive"] / best["here"], 2),
        "seconds_of_each_turn": {name: [round(s, 3) for s in each] for name, each in seconds.items()},
    }
    return row if first else None


def wait(processes: int) -> None:
    """For all processes to come here."""
    if processes > 1:
        torch.distributed.barrier()


def recipe_step(pipeline: object, config: ViewsTrainConfig, device: torch.device) -> tuple[Step, object]:
    """A step as training makes it."""
    state = RunState(pipeline, Path("no-checkpoint"), config, device)
    model = state.denoiser
    if torch.distributed.is_initialized():
        model = torch.nn.parallel.DistributedDataParallel(model)

    def step(item: Item) -> float:
        losses = batch_losses(model, state, item)
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
