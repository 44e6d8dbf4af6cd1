"""Seconds and memory of Zero123++ at full size, with random weights that are made in memory and never saved.

    python benchmarks/zero123.py                  # one denoising step on the processor, reference against fast
    python benchmarks/zero123.py --only levels    # minutes less: one level of the UNet at a time, the two ways in turns
    python benchmarks/zero123.py --device cuda    # a whole sheet of 28 steps in half precision on a GPU

writes benchmarks/results/zero123_DEVICE.md and .json. The networks have the shapes of the published v1.2 (a UNet of
865,910,724 weights). A step is one prediction at 640x960 px under guidance 4: the write pass over the reference and
the read pass over the sheet, two halves each. "reference" is the plain arithmetic in single precision: diffusers'
attention and torch's convolutions as they come. Every case runs in a process of its own, for the sake of its peak
memory; threads that wait do not spin, so processor seconds are seconds of work and hardly depend on what else the
machine does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

UNET = {
    "sample_size": 96,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 256,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
VISION = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 1024,
    "hidden_act": "gelu",
}
TEXT = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "prediction_type": "v_prediction",
    "timestep_spacing": "linspace",
    "steps_offset": 1,
}
SHEET = (640, 960)
"""Width and height, px."""


def main() -> None:
    """Run the cases, each in its own process, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of torch and Numba, on the processor (default: 2)")
    parser.add_argument("--repeats", type=int, default=1, help="of each case; the fastest counts (default: 1)")
    parser.add_argument("--steps", type=int, default=28, help="of a whole sheet, on a GPU (default: 28)")
    parser.add_argument("--compile", action="store_true", help="torch.compile the UNet, on a GPU")
    parser.add_argument("--only", nargs="*", help="cases to run")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--save", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        sys.stdout.write(json.dumps(CASES[args.case](args)) + "\n")
        return
    wanted = ("reference", "fast", "call") if args.device == "cpu" else ("cuda-fp16", "cuda-offload")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in args.only or wanted:
            results[case] = run_case(case, args, Path(folder))
            sys.stderr.write(f"{case}: {results[case]}\n")
        _compare(results, Path(folder))
    _write(results, args)


def run_case(case: str, args: argparse.Namespace, folder: Path) -> dict:
    """One case in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--save", str(folder / f"{case}.npy")]
    command += ["--threads", str(args.threads), "--repeats", str(args.repeats), "--steps", str(args.steps)]
    command += ["--compile"] if args.compile else []
    threads = str(args.threads)
    quiet = {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def fill(network: object, dtype: object, device: str = "cpu") -> object:
    """A network made on the meta device, with random weights that keep the size of its signals."""
    import torch

    network = network.to(dtype).to_empty(device=device).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                drawn = torch.empty(weight.shape).normal_(0, weight[0].numel() ** -0.5, generator=generator)
                weight.copy_(drawn)
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
        for name, buffer in network.named_buffers():
            if "position_ids" in name:
                buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
    return network


def unet(dtype: object, device: str = "cpu") -> object:
    """The UNet of the published shape."""
    import torch
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        network = UNet2DConditionModel(**UNET)
    assert sum(weight.numel() for weight in network.parameters()) == 865_910_724
    return fill(network, dtype, device)


def step(args: argparse.Namespace, passes: object, dtype_name: str, install: object) -> dict:
    """Seconds of one prediction by the functions of ``passes``."""
    import numpy as np
    import torch

    torch.set_num_threads(args.threads)
    dtype = getattr(torch, dtype_name)
    network = unet(dtype)
    install(network)
    g = torch.Generator().manual_seed(1)
    shapes = ((2, 4, SHEET[1] // 8, SHEET[0] // 8), (2, 4, 64, 64), (2, 77, 1024))
    sample, ref, states = (torch.randn(*shape, generator=g).to(dtype) for shape in shapes)
    t, wall, cpu = torch.tensor(500.0), [], []
    with torch.no_grad():
        small = sample[..., :24, :24]  # compiles kernels and transforms filters, which a sheet of many steps does once
        passes.read_reference(network, small, t, states, passes.write_reference(network, small, t, states))
        for _ in range(args.repeats):
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            kept = passes.write_reference(network, ref, t, states)
            v = passes.read_reference(network, sample, t, states, kept)
            wall.append(time.perf_counter() - wall_start)
            cpu.append(time.process_time() - cpu_start)
    np.save(args.save, v.float().numpy())
    return {
        "dtype": dtype_name,
        "wall_s": min(wall),
        "cpu_s": min(cpu),
        "peak_gb": _peak_gb(),
    }


def reference_case(args: argparse.Namespace) -> dict:
    """A step in plain single precision."""
    from zero123pp.diffusion import reference

    return step(args, reference, "float32", reference.install_reference_attention)


def fast_case(args: argparse.Namespace) -> dict:
    """A step by the faster means, in bfloat16 where the processor has it."""
    from zero123pp.diffusion import fast
    from zero123pp.diffusion.cpu.processor import has_bfloat16

    return step(args, fast, "bfloat16" if has_bfloat16() else "float32", fast.accelerate)


def levels_case(args: argparse.Namespace) -> dict:
    """Processor seconds of both ways in turns, for small networks of one level each: tokens and channels of full size.

    Each has three residual and three transformer blocks, and runs both passes on one half of the batch. Turns in one
    process see the same load of the machine, which whole steps in processes of their own do not.
    """
    import copy

    import torch
    from diffusers import UNet2DConditionModel

    from zero123pp.diffusion import fast, reference
    from zero123pp.diffusion.cpu.processor import has_bfloat16

    torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    result = {"dtype": str(dtype).removeprefix("torch.")}
    for level, (channels, heads) in enumerate(zip(UNET["block_out_channels"][:3], UNET["attention_head_dim"])):
        torch.manual_seed(0)
        plain = UNet2DConditionModel(
            block_out_channels=(channels,),
            down_block_types=("CrossAttnDownBlock2D",),
            mid_block_type=None,
            up_block_types=("CrossAttnUpBlock2D",),
            attention_head_dim=heads,
            layers_per_block=1,
            cross_attention_dim=1024,
            use_linear_projection=True,
        ).eval()
        quick = copy.deepcopy(plain).to(dtype)
        reference.install_reference_attention(plain)
        fast.accelerate(quick)
        height, width, side = SHEET[1] // 8 >> level, SHEET[0] // 8 >> level, 64 >> level
        tensors = [torch.randn(shape) for shape in ((1, 4, height, width), (1, 4, side, side), (1, 77, 1024))]
        ways = (("plain", plain, reference), ("fast", quick, fast))
        seconds = {name: [] for name, *_ in ways}
        for turn in range(args.repeats + 1):
            for name, network, passes in ways:
                sample, ref, states = (x.to(network.dtype) for x in tensors)
                sample = sample if turn else sample[..., :24, :24]  # the first turn warms up
                t, start = torch.tensor(500.0), time.process_time()
                with torch.no_grad():
                    kept = passes.write_reference(network, ref if turn else sample, t, states)
                    passes.read_reference(network, sample, t, states, kept)
                seconds[name].append(time.process_time() - start)
        plain_s, fast_s = (min(seconds[name][1:]) for name, *_ in ways)
        result |= {f"{channels}_plain_s": plain_s, f"{channels}_fast_s": fast_s}
        result[f"{channels}_speedup"] = plain_s / fast_s
        sys.stderr.write(f"{channels} channels: {seconds}\n")
    return result


def pipeline(dtype: object, device: str = "cpu") -> object:
    """A whole Zero123PlusPipeline of the published shapes; its tokenizer knows letters only."""
    import torch
    import transformers
    from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler

    from zero123pp import Zero123PlusPipeline
    from zero123pp.diffusion.preprocess import ImagePreprocessor

    with torch.device("meta"):
        vae = AutoencoderKL(**VAE)
        vision = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**VISION))
        text = transformers.CLIPTextModel(transformers.CLIPTextConfig(**TEXT, projection_dim=512))
    clip = ImagePreprocessor(
        224, (224, 224), 3, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    )
    return Zero123PlusPipeline(
        vae=fill(vae, torch.float32 if device == "cpu" else dtype, device),
        text_encoder=fill(text, dtype, device),
        tokenizer=_tokenizer(),
        unet=unet(dtype, device),
        scheduler=EulerAncestralDiscreteScheduler(**SCHEDULE | {"timestep_spacing": "trailing"}),
        vision_encoder=fill(vision, dtype, device),
        feature_extractor_clip=clip,
        feature_extractor_vae=ImagePreprocessor(512, (512, 512), 2, 0.5, 0.8),
        ramping_coefficients=[i / 77 for i in range(77)],
    )


def _tokenizer() -> object:
    from transformers import CLIPTokenizer

    words = [*map(chr, range(97, 123)), *(f"{chr(c)}</w>" for c in range(97, 123))]
    names = [*words, "<|startoftext|>", "<|endoftext|>", "!"]
    return CLIPTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=77, pad_token="!")


def call_case(args: argparse.Namespace) -> dict:
    """One call of the whole pipeline with one step: encoders, step and decoder; for its peak memory."""
    import numpy as np
    import torch

    from zero123pp.diffusion.cpu.processor import has_bfloat16

    torch.set_num_threads(args.threads)
    pipe = pipeline(torch.bfloat16 if has_bfloat16() else torch.float32).accelerate()
    pipe.set_progress_bar_config(disable=True)
    image = np.full((320, 320, 4), 200, np.uint8)
    wall, cpu = time.perf_counter(), time.process_time()
    pipe(image, num_inference_steps=1, generator=torch.Generator().manual_seed(0))
    return {
        "dtype": str(pipe.unet.dtype).removeprefix("torch."),
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_gb": _peak_gb(),
    }


def cuda_case(args: argparse.Namespace, offload: bool = False) -> dict:
    """A whole sheet in half precision."""
    import numpy as np
    import torch

    pipe = pipeline(torch.float16, "cpu" if offload else "cuda")
    pipe.vae.to(torch.float16)
    if offload:
        pipe.enable_model_cpu_offload()
    if args.compile:
        pipe.unet.compile()
    pipe.set_progress_bar_config(disable=True)
    image, seconds = np.full((320, 320, 4), 200, np.uint8), []
    for _ in range(args.repeats + 1):  # the first call warms up
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        start = time.perf_counter()
        # Latents, then the decoder by hand: random weights may leave the range of half precision.
        latents = pipe(
            image, num_inference_steps=args.steps, generator=torch.Generator("cpu").manual_seed(0), output_type="latent"
        ).images
        pipe.vae.to("cuda").decode(torch.randn_like(latents, dtype=torch.float16))
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {
        "dtype": "float16",
        "wall_s": min(seconds[1:]),
        "steps": args.steps,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
        "device": torch.cuda.get_device_name(),
    }


CASES = {
    "reference": reference_case,
    "fast": fast_case,
    "levels": levels_case,
    "call": call_case,
    "cuda-fp16": cuda_case,
    "cuda-offload": lambda args: cuda_case(args, offload=True),
}


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _compare(results: dict, folder: Path) -> None:
    """Speed-up and deviation of the fast step, when both were run."""
    if not {"reference", "fast"} <= results.keys():
        return
    import numpy as np

    want, got = (np.load(folder / f"{case}.npy") for case in ("reference", "fast"))
    results["fast"]["deviation"] = float(np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2)))
    for unit in ("wall_s", "cpu_s"):
        results["fast"][f"{unit[:-2]}_speedup"] = results["reference"][unit] / results["fast"][unit]


def _write(results: dict, args: argparse.Namespace) -> None:
    from zero123pp.pipelines.evaluation.report import machine

    folder = Path(__file__).resolve().parent / "results"
    folder.mkdir(exist_ok=True)
    file = folder / f"zero123_{args.device}"
    if file.with_suffix(".json").is_file() and args.only:
        results = json.loads(file.with_suffix(".json").read_text())["cases"] | results
    command = f"python benchmarks/zero123.py --device {args.device} --threads {args.threads} --repeats {args.repeats}"
    content = {"command": command, "machine": str(machine()), "cases": results}
    file.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n")
    columns = list(dict.fromkeys(key for case in results.values() for key in case))
    lines = [f"`{command}` on {machine()}", "", "| case | " + " | ".join(columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for case, values in results.items():
        cells = (values.get(key, "") for key in columns)
        lines.append(f"| {case} | " + " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in cells) + " |")
    file.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
