"""The report's experiments on its recipe, repeated at small scale on one processor core.

    python benchmarks/experiments.py NAME --data SHARDS [--out docs/results/experiments] [--set steps=100]

NAME is a file of benchmarks/experiments/ without suffix, or `all`. SHARDS is a folder of `run.py render multiview`.
Each writes NAME.json (config, numbers, the command, processor seconds) and NAME.png.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import condition_experiments as conditions
import experiment_plots as plots
import schedule_experiments as schedules
import torch

from zero123pp.configs import load
from zero123pp.render.shards import open_samples
from zero123pp.train.multiview.pictures import resized, sample_pictures

CONFIGS = Path(__file__).resolve().parent / "experiments"

EXPERIMENTS: dict[str, tuple[type, Callable, Callable]] = {
    "figure3_noise_levels": (schedules.ScheduleConfig, schedules.noise_levels, plots.noise_levels),
    "figure4_blank_picture": (schedules.ScheduleConfig, schedules.blank_picture, plots.blank_picture),
    "figure5_swapped_schedule": (schedules.ScheduleConfig, schedules.swapped_schedule, plots.swapped_schedule),
    "figure7_reference_scale": (conditions.ConditionConfig, conditions.reference_scale, plots.arms),
    "figure8_global_condition": (conditions.ConditionConfig, conditions.global_condition, plots.arms),
}
"""Name: its config, what it does, and what draws it."""


def main() -> None:
    """Run one experiment, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["all", *EXPERIMENTS])
    parser.add_argument("--data", type=Path, required=True, help="folder of samples")
    parser.add_argument("--out", type=Path, default=Path("docs/results/experiments"))
    parser.add_argument("--set", action="append", default=[], help="any value of the experiment's config")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in EXPERIMENTS if args.name == "all" else [args.name]:
        run(name, args.data, args.out, args.set)


def run(name: str, data: Path, out: Path, overrides: list[str]) -> dict:
    """One experiment: its numbers, after both files are written."""
    cls, experiment, draw = EXPERIMENTS[name]
    config = load(cls, CONFIGS / f"{name}.yaml", overrides)
    start = time.process_time()
    source = data if cls is conditions.ConditionConfig else pictures(data, config.size_px)
    result = experiment(config, source)
    seconds = time.process_time() - start
    draw(result, out / f"{name}.png")
    kept = {
        "command": f"python benchmarks/experiments.py {name} --data SHARDS" + "".join(f" --set {o}" for o in overrides),
        "config": asdict(config),
        "processor_seconds": round(seconds),
        "result": _plain(result),
    }
    (out / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    sys.stderr.write(f"{name}: {seconds:.0f} processor seconds\n")
    return kept["result"]


def pictures(folder: Path, size: int, most: int = 3000) -> torch.Tensor:
    """Views of the samples in a folder (n, 3, size, size) in [-1, 1], on gray."""
    samples = open_samples(folder, depth=False, normals=False)
    step = max(1, len(samples) * 6 // most)
    tiles = [sample_pictures(samples[i], "all", background=127)[1] for i in range(0, len(samples), step)]
    return resized(torch.cat(tiles), size) * 2 - 1


def _plain(value: object) -> object:
    """Without the pictures, which are in the plot."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if not isinstance(each, torch.Tensor)}
    return value


if __name__ == "__main__":
    main()
