"""How far fewer steps and other samplers come from many steps, on a checkpoint of any size.

    python benchmarks/samplers.py FOLDER PICTURE [--width 128 --height 192]

prints the relative root mean square difference of the final latents from those of the same sampler with 75 steps, from
the same initial noise, with the mean and range over the seeds. Euler ancestral adds fresh noise at each step, so two of
its runs with other numbers of steps are other draws and no approximations of one another: its row only says how
different two draws are. The reference's noise is fresh at each step under every sampler, which leaves the rest that
the multistep samplers do not get below.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np


def main() -> None:
    """Sample and print the table."""
    import torch
    from PIL import Image

    from zero123pp import Zero123PlusPipeline
    from zero123pp.diffusion.schedule import SAMPLERS, trailing_sampler

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 14, 28])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    pipe = Zero123PlusPipeline.from_pretrained(args.checkpoint, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    image = Image.open(args.picture)
    print("| sampler | " + " | ".join(f"{steps} steps" for steps in args.steps) + " |")
    print("|---" * (len(args.steps) + 1) + "|")
    for name in SAMPLERS:
        pipe.scheduler = trailing_sampler(name, pipe.scheduler)
        differences = []
        for seed in range(args.seeds):
            many, *few = (
                pipe(
                    image,
                    width=args.width,
                    height=args.height,
                    num_inference_steps=steps,
                    generator=torch.Generator().manual_seed(seed),
                    output_type="latent",
                ).images
                for steps in (75, *args.steps)
            )
            differences.append([float((x - many).norm() / many.norm()) for x in few])
        cells = (f"{np.mean(d):.3f} ({min(d):.3f} to {max(d):.3f})" for d in np.transpose(differences))
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
