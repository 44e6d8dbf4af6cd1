"""What the options for slow processors save and cost: one table of seconds and errors, in one run.

    python benchmarks/cpu_options.py [--threads 1] [--only avx2 native ...]

writes benchmarks/results/cpu_options.md. For each set of instructions a process of its own, in which every library is
told to use no others: "avx2" (laptops until about 2021, and all without AVX-512), "avx512" (the first servers with it),
"vnni" (products of 8 bit as well), and "native", what this machine has, which may be bfloat16.

Seconds are the processor's, of a denoising step under guidance, of random weights: a UNet of six tenths of the
published widths and one layer a block instead of two, and a sheet of 320x480 px under a reference of 256 px, both half
of the usual sides, as whole steps of full size take minutes where these options are wanted. Attention takes a smaller
part of such a step than of one of full size, and linear layers a larger one. The parts of a step are measured once each
in one process (a whole step, one with kept features, either without guidance), and a row is their mean by how often its
option takes each in 28 steps.
Errors are relative root mean square differences of final latents from exact ones of the same noise: "golden" of the
tiny random checkpoint of tests/golden against its golden files (base_0 of 4 steps and base_1 of 3, the mean), "28
steps" of the same checkpoint against itself. Nobody has trained that network: its features need not change as slowly
from step to step as those of the networks that step caching and guidance intervals were made for. No error says which
sheet looks better.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


def _mask(onednn: str, aten: str, mkl: str, fbgemm: str, cpu: str) -> dict[str, str]:
    return {
        "ONEDNN_MAX_CPU_ISA": onednn, "ATEN_CPU_CAPABILITY": aten, "MKL_ENABLE_INSTRUCTIONS": mkl,
        "FBGEMM_ENABLE_INSTRUCTIONS": fbgemm, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": "",
    }  # fmt: skip


SMALLER = {
    "layers_per_block": 1, "block_out_channels": (192, 384, 768, 768), "attention_head_dim": (3, 6, 12, 12)
}  # fmt: skip
"""What differs from the published UNet; heads stay 64 channels wide."""

SETS = {
    "avx2": _mask("AVX2", "avx2", "AVX2", "AVX2", "haswell"),
    "avx512": _mask("AVX512_CORE", "avx512", "AVX512", "AVX512", "skylake-avx512"),
    "vnni": _mask("AVX512_CORE_VNNI", "avx512", "AVX512", "AVX512_VNNI", "cascadelake"),
    "native": {},
}
"""What tells each library that the processor has no more."""

ROWS: dict[str, dict] = {
    "plain arithmetic": {"way": "plain"},
    "as it runs by default": {},
    "`--quantize int8`": {"way": "int8"},
    "`--guidance-interval 0.2,0.8`": {"guidance_interval": (0.2, 0.8)},
    "`--cache-interval 2`": {"cache_interval": 2},
    "`--cache-interval 3`": {"cache_interval": 3},
    "all three, every 2nd step": {"way": "int8", "guidance_interval": (0.2, 0.8), "cache_interval": 2},
}


def main() -> None:
    """Run the sets, each in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="of torch and Numba (default: 1)")
    parser.add_argument("--only", nargs="*", choices=SETS, help="sets of instructions (default: all)")
    parser.add_argument("--case", choices=SETS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        sys.stdout.write(json.dumps(measured(args.case, args.threads)) + "\n")
        return
    found = {}
    for name in args.only or SETS:
        found[name] = _in_its_process(name, args.threads)
        sys.stderr.write(f"{name}: {found[name]}\n")
    only = f" --only {' '.join(args.only)}" if args.only else ""
    write(found, f"python benchmarks/cpu_options.py --threads {args.threads}{only}")


def _in_its_process(name: str, threads: int) -> dict:
    quiet = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, __file__, "--case", name, "--threads", str(threads)]
    done = subprocess.run(command, env=os.environ | quiet | SETS[name], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(name: str, threads: int) -> dict:
    """Seconds of the parts of a step, and errors of the rows, with these instructions."""
    import torch

    torch.set_num_threads(threads)
    if name in ("avx2", "avx512"):
        torch.backends.quantized.engine = "fbgemm"  # what torch takes on such processors by itself
    with torch.no_grad():
        exact = latents_of_28_steps("plain")
        return {"parts": parts(name), "errors": {row: errors(exact, **options) for row, options in ROWS.items()}}


def parts(name: str) -> dict[str, float]:
    """Processor seconds of each part of a step, "way halves whole|kept"."""
    import copy

    import torch
    from diffusers import UNet2DConditionModel
    from zero123 import UNET, fill

    from zero123pp.diffusion import fast, reference
    from zero123pp.diffusion.cpu import has_bfloat16
    from zero123pp.diffusion.quantize import quantize_linear
    from zero123pp.diffusion.step_cache import StepCache

    with torch.device("meta"):
        network = UNet2DConditionModel(**UNET | SMALLER)
    network = fill(network, torch.float32)
    # A processor whose instructions are hidden still tells torch that it has them.
    dtype = torch.bfloat16 if name == "native" and has_bfloat16() else torch.float32
    seconds: dict[str, float] = {}
    g = torch.Generator().manual_seed(1)
    noise = [torch.randn(2, 4, *shape, generator=g) for shape in ((60, 40), (32, 32))]
    text, t = torch.randn(2, 77, 1024, generator=g), torch.tensor(500.0)

    def step(passes: object, unet: torch.nn.Module, halves: int, cache: StepCache) -> None:
        rows = [each[:halves].to(unet.dtype) for each in (*noise, text)]
        cache.begin(halves)
        with cache.passing("write", 0):
            kept = passes.write_reference(unet, rows[1], t, rows[2])
        with cache.passing("read", 0):
            passes.read_reference(unet, rows[0], t, rows[2], kept)

    def time_all(way: str, passes: object, unet: torch.nn.Module, kinds: list[int]) -> None:
        step(passes, unet, 1, StepCache(unet, 1))  # compiles kernels and transforms filters
        for halves in kinds:
            cache = StepCache(unet, 2)
            for kind in ("whole", "kept"):
                start = time.process_time()
                step(passes, unet, halves, cache)
                seconds[f"{way} {halves} {kind}"] = time.process_time() - start

    reference.install_reference_attention(network)
    time_all("plain", reference, network, [2])
    quick = copy.deepcopy(network).to(dtype) if dtype != torch.float32 else network
    fast.accelerate(quick)
    time_all("fast", fast, quick, [2, 1])
    fast.restore(quick)
    quantize_linear(network)
    fast.accelerate(network)
    time_all("int8", fast, network, [2, 1])
    return seconds


def loaded(way: str, picture: int, trailing: bool = True) -> Callable[..., "torch.Tensor"]:
    """The tiny checkpoint, to be called for the latents of a picture of the golden files."""
    from PIL import Image

    from zero123pp import Zero123PlusPipeline
    from zero123pp.diffusion import schedule

    pipe = Zero123PlusPipeline.from_pretrained(GOLDEN / "models" / "tiny-zero123plus")
    pipe.set_progress_bar_config(disable=True)
    if way != "plain":
        pipe.accelerate()
    if way == "int8":
        pipe.quantize()
    if trailing:
        pipe.scheduler = schedule.trailing_euler_ancestral(pipe.scheduler)
    image = Image.open(GOLDEN / "inputs" / f"cond_{picture}.png")
    return lambda **options: pipe(image, width=128, height=192, output_type="latent", **options).images


def latents_of_28_steps(way: str, **options: object) -> "torch.Tensor":
    """Latents of the same noise whatever the options."""
    import torch

    return loaded(way, 1)(num_inference_steps=28, generator=torch.Generator("cpu").manual_seed(0), **options)


def errors(exact: "torch.Tensor", way: str = "fast", **options: object) -> dict[str, float]:
    """Relative error of final latents: against the golden files, and over 28 steps against ``exact`` ones."""
    import numpy as np
    import torch

    def relative(got: torch.Tensor, want: torch.Tensor) -> float:
        return float((got - want).norm() / want.norm())

    golden = []
    for picture in (0, 1):
        arrays = dict(np.load(GOLDEN / "outputs" / f"base_{picture}.npz"))
        meta = json.loads(str(arrays["meta"]))
        call = loaded(way, picture, meta["trailing"])
        torch.manual_seed(meta["seed_global"])
        generator = torch.Generator("cpu").manual_seed(meta["seed_generator"])
        latents = call(
            num_inference_steps=meta["steps"], guidance_scale=meta["guidance_scale"], generator=generator,
            legacy_rng=True, **options,
        )  # fmt: skip
        golden.append(relative(latents, torch.from_numpy(arrays["latents_out"][-1])))
    return {"golden": float(np.mean(golden)), "28 steps": relative(latents_of_28_steps(way, **options), exact)}


def seconds_of(
    parts: dict[str, float], way: str = "fast", guidance_interval: tuple = (0, 1), cache_interval: int = 1
) -> float:
    """Mean seconds of a step of 28 under the options of a row."""
    total, since, before = 0.0, cache_interval, 0
    for i in range(28):  # as `StepCache.begin` and the pipeline count
        halves = 2 if guidance_interval[0] <= i / 28 < guidance_interval[1] else 1
        since = 1 if since >= cache_interval or halves != before else since + 1
        before = halves
        total += parts[f"{way} {halves} {'whole' if since == 1 else 'kept'}"]
    return total / 28


def write(found: dict[str, dict], command: str) -> None:
    """The table, under the command that made it."""
    from zero123pp.files import write_file
    from zero123pp.pipelines.evaluation.report import machine

    head = [f"{name}: s a step" for name in found] + [f"{name}: times as fast" for name in found]
    lines = [f"`{command}` on {machine()}", ""]
    first, last = next(iter(found)), list(found)[-1]
    measures = ("golden", "28 steps")
    head += [f"error, {measure}" for measure in measures]
    lines += ["| option | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for row, options in ROWS.items():
        seconds = {name: seconds_of(each["parts"], **options) for name, each in found.items()}
        usual = {name: seconds_of(each["parts"]) for name, each in found.items()}
        cells = [f"{value:.2f}" for value in seconds.values()]
        cells += [f"{usual[name] / value:.2f}" for name, value in seconds.items()]
        for measure in measures:
            both = [f"{found[name]['errors'][row][measure]:.2g}" for name in (first, last)]
            cells.append(both[0] if both[0] == both[1] else f"{both[0]} ({first}), {both[1]} ({last})")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    write_file(ROOT / "benchmarks" / "results" / "cpu_options.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
