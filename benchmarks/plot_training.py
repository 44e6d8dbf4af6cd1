"""The error of v on held-out meshes over the samples seen, from the logs of training runs.

    python benchmarks/plot_training.py mini=RUN/log.jsonl --samples-a-step 16 --out curve.png

The samples of a step are batch x accumulate x processes.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib.pyplot as plt
from experiment_plots import save

from zero123pp.train.log import read_log


def main() -> None:
    """Draw all runs into one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=LOG", help="name of a run, and its log.jsonl")
    parser.add_argument("--samples-a-step", type=int, required=True, metavar="N", help="over all processes")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    args = parser.parse_args()
    figure, axis = plt.subplots(figsize=(6, 3.5))
    for run in args.runs:
        name, _, file = run.partition("=")
        records = [record for record in read_log(Path(file)) if "val_mse" in record]
        samples = [record["step"] * args.samples_a_step for record in records]
        axis.plot(samples, [record["val_mse"] for record in records], label=name, marker=".")
    axis.set(xlabel="samples", ylabel="error of v on held-out meshes", xlim=(0, None))
    axis.legend()
    save(figure, args.out)


if __name__ == "__main__":
    main()
