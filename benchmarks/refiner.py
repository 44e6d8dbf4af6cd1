"""A tiny refiner against the sheets it is given and against plain resampling, on meshes that training never saw.

    python run.py render multiview --meshes MESHES --hdri MAPS --out SHARDS --tile-px 128 --query-px 128
    python benchmarks/refiner.py --data SHARDS --out RUN [--picture sheets.png]

The first stage's sheets are true ones made worse (`zero123pp.train.multiview.first_stage`), 40 px a view; the refiner
draws 64 px, the ratio of 320 to 512. Everything is the product's own (training loop, export of running means, sampling)
but for one thing: a VAE of this size would lose more than the refiner gains, so in its place stands a fixed one without
loss, 2x2 blocks of pixels as Haar coefficients.
"""

import argparse
import json
import sys
import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from zero123pp.configs import load
from zero123pp.diffusion import SheetRefinerPipeline, Zero123PlusPipeline, first_stage_tiles, refiner_of, resized
from zero123pp.images import tile_sheet
from zero123pp.pipelines.evaluation.features import FeatureDistance, feature_distances
from zero123pp.pipelines.models.refiner import with_plain_background
from zero123pp.recon.metrics import decibels
from zero123pp.train import load_checkpoint
from zero123pp.train.multiview.config import ViewsTrainConfig, preset_path
from zero123pp.train.multiview.dataset import Pool
from zero123pp.train.multiview.loop import train
from zero123pp.train.multiview.pictures import first_stage_of, sample_pictures
from zero123pp.train.multiview.small import SmallModel, small_pipeline

TILE_PX, FIRST_PX = 64, 40
SHAPE = SmallModel(tile_px=TILE_PX, channels=(32, 64), head_channels=32, context=64, vision_layers=1, latents=12)
RECIPE = [
    "phase=refine2", "prediction=epsilon", "start=fixed", f"tile_px={TILE_PX}", f"errors.tile_px={FIRST_PX}",
    "errors.blur_px=6", "errors.warp_px=1.5", "errors.blotches=0.03", "noisiest=0.03", "strength=0.03",
    "train_vision=true", "batch=8", "steps=400", "learning_rate=2e-3", "warmup=30", "decay=0.9", "ema=0.98",
    "min_snr_gamma=0", "timesteps=even", "query_px=[48,64]", "recolour=0.5", "balance=0.5", "workers=0",
    "save_every=25", "log_every=25", "validate_every=100", "sample_every=0",
]  # fmt: skip


class HaarBlocks(AutoencoderKL):
    """A VAE in name: 2x2 pixels to 12 orthonormal Haar coefficients, exactly there and back."""

    def __init__(self) -> None:
        """Has no weights worth speaking of; the layers that it inherits are never used."""
        super().__init__(latent_channels=12, block_out_channels=(4, 4), down_block_types=("DownEncoderBlock2D",) * 2,
                         up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=1, layers_per_block=1,
                         mid_block_add_attention=False, scaling_factor=4.0)  # fmt: skip
        signs = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
        self.register_buffer("haar", torch.block_diag(signs, signs, signs))

    def encode(self, pictures: torch.Tensor) -> SimpleNamespace:
        """Of (n, 3, H, W): a distribution without spread."""
        blocks = torch.nn.functional.pixel_unshuffle(pictures, 2)
        mean = torch.einsum("ij,njhw->nihw", self.haar.to(blocks), blocks)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, std=torch.zeros_like(mean), mode=lambda: mean))

    def decode(self, latents: torch.Tensor) -> SimpleNamespace:
        """Of (n, 12, h, w)."""
        blocks = torch.einsum("ji,njhw->nihw", self.haar.to(latents), latents)
        return SimpleNamespace(sample=torch.nn.functional.pixel_shuffle(blocks, 2))


def new_refiner(seed: int) -> SheetRefinerPipeline:
    """Random weights; attention at the lower level only."""
    small = small_pipeline(SHAPE, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        plain = {"down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
                 "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "norm_num_groups": 16}  # fmt: skip
        unet = UNet2DConditionModel.from_config({**small.unet.config, **plain})
        parts = small.components | {"vae": HaarBlocks(), "unet": unet}
    ramp = small.config.ramping_coefficients
    refiner = refiner_of(Zero123PlusPipeline(**parts, ramping_coefficients=ramp, tile_size=TILE_PX))
    first_guess(refiner.unet.conv_in)
    return refiner


@torch.no_grad()
def first_guess(conv: torch.nn.Conv2d) -> None:
    """Let the first channels see what is noise if the first stage was right, and the next ones the first stage.

    A published start has learned to find noise; to learn that from nothing would take most of so short a training.
    """
    latents = SHAPE.latents
    centre = torch.zeros_like(conv.weight[..., 1, 1])
    centre[:latents, :latents], centre[:latents, latents:] = 5 * torch.eye(latents), -5 * torch.eye(latents)
    centre[latents : 2 * latents, latents:] = torch.eye(latents)
    conv.weight[: 2 * latents] = 0
    conv.weight[: 2 * latents, :, 1, 1] = centre[: 2 * latents]


def main() -> None:
    """Train, or go on; measure; write the table and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of samples")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; resumed from")
    parser.add_argument("--set", action="append", default=[], help="any value of the training's config")
    parser.add_argument("--objects", type=int, default=24, help="held-out meshes that are measured, one sample each")
    parser.add_argument("--evaluate", action="store_true", help="train nothing, measure the checkpoint")
    parser.add_argument("--strength", type=float, action="append", default=[], help="other strengths; repeatable")
    parser.add_argument("--held-out", type=Path, help="other samples to measure on (default: those of --data)")
    parser.add_argument("--draws", type=int, action="append", default=[], help="as in a call; repeatable (1, 8)")
    parser.add_argument("--picture", type=Path, help="sheet picture of the first held-out meshes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = load(ViewsTrainConfig, preset_path("mini-refiner"), [*RECIPE, *args.set])
    if not args.evaluate:
        start = time.process_time()
        train(new_refiner(config.seed), args.data, args.out, config)
        sys.stdout.write(f"trained for {time.process_time() - start:.0f} processor seconds\n")
    refiner = new_refiner(config.seed)
    load_means(refiner, load_checkpoint(args.out / "checkpoint.pt"))
    rows = measure(refiner, args.held_out or args.data, config, args)
    (args.out / "table.json").write_text(json.dumps(rows, indent=1), "utf-8")
    sys.stdout.write(as_table(rows))


@torch.no_grad()
def load_means(refiner: SheetRefinerPipeline, checkpoint: dict) -> None:
    """The running means of a run into a new refiner."""
    named = {f"unet.{name}": value for name, value in refiner.unet.named_parameters()}
    named |= {f"vision_encoder.{name}": value for name, value in refiner.vision_encoder.named_parameters()}
    for name, value in checkpoint["mean"].items():
        if name == "ramp":
            refiner.register_to_config(ramping_coefficients=value.tolist())
        else:
            named[name].copy_(value)


def unsharp(tiles: np.ndarray, sigma: float, amount: float) -> np.ndarray:
    """Tiles (n, H, W, 3) with what a blur of ``sigma`` px takes away added ``amount`` times."""
    return np.clip(tiles + amount * (tiles - gaussian_filter(tiles, (0, sigma, sigma, 0))), 0, 1)


UNSHARP = [(sigma, amount) for sigma in (0.7, 1.0, 1.5) for amount in (0.2, 0.4, 0.6, 0.9)]


def tuned_unsharp(data: Path, config: ViewsTrainConfig) -> tuple[float, float]:
    """The sharpening that is best in PSNR on meshes of the training."""
    pool = Pool(data, held_out=False)
    errors = {each: 0.0 for each in UNSHARP}
    for number in pool.numbers[:: max(1, len(pool) // 32)][:32]:
        truth, first, _ = pictures_of(pool, number, config)
        tiles = first_stage_tiles(first, TILE_PX, config.background)
        for each in UNSHARP:
            errors[each] += float(np.square(unsharp(tiles, *each) - truth).mean())
    return min(errors, key=errors.get)


def pictures_of(pool: Pool, number: int, config: ViewsTrainConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True tiles (6, T, T, 3) in [0, 1]; the first stage's sheet and the query as uint8."""
    query, target, _ = sample_pictures(pool.samples[number], "all", background=config.background)
    first = first_stage_of(pool.samples[number], target, config, np.random.default_rng([config.seed, 9, number]))
    truth = resized(target, TILE_PX).permute(0, 2, 3, 1).numpy()
    sheet = tile_sheet(first.permute(0, 2, 3, 1).numpy())
    return truth, as_bytes(sheet), as_bytes(query.permute(1, 2, 0).numpy())


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """[0, 1] to 8 bits."""
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def measure(refiner: SheetRefinerPipeline, data: Path, config: ViewsTrainConfig, args: argparse.Namespace) -> dict:
    """Means over the held-out meshes by method."""
    pool = Pool(data, held_out=True)
    by_mesh = {pool.samples.meshes[number]: number for number in reversed(pool.numbers)}
    chosen = list(by_mesh.values())[: args.objects]
    sharpening = tuned_unsharp(args.data, config)
    features = feature_distances()
    refiner.set_progress_bar_config(disable=True)
    found: dict[str, list[dict[str, float]]] = {}
    pictures = []
    for number in chosen:
        truth, first, query = pictures_of(pool, number, config)
        bicubic = first_stage_tiles(first, TILE_PX, config.background)

        nearest = nearest_tiles(first)
        ways = {"first stage (nearest)": nearest, "bicubic": bicubic,
                f"bicubic + unsharp {sharpening}": unsharp(bicubic, *sharpening)}  # fmt: skip
        for strength, draws in product(args.strength or [config.strength], args.draws or [1, 8]):
            generator = torch.Generator().manual_seed(config.seed)
            drawn = refiner(first, query, strength=strength, mode="tile", num_inference_steps=round(1 / strength),
                            draws=draws, generator=generator, output_type="np").images[0]  # fmt: skip
            drawn = with_plain_background(as_bytes(drawn), first)  # as `--refiner` does
            name = f"refined, strength {strength:g}, one step, " + (f"mean of {draws} draws" if draws > 1 else "1 draw")
            ways[name] = first_stage_tiles(drawn, TILE_PX, config.background)
        for name, tiles in ways.items():
            found.setdefault(name, []).append(compared(tiles, truth, features))
        pictures.append([nearest, ways[next(name for name in ways if "unsharp" in name)], tiles, truth])
    if args.picture:
        draw(pictures[:: max(1, len(pictures) // 8)][:8], args.picture)
    return {
        "objects": len(chosen),
        "rows": {name: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} | {
            "better_than_bicubic": sum(a["PSNR"] > b["PSNR"] for a, b in zip(rows, found["bicubic"]))}
            for name, rows in found.items()},
    }  # fmt: skip


def nearest_tiles(sheet: np.ndarray) -> np.ndarray:
    """The six tiles of a sheet with every pixel shown as a square."""
    wide = np.asarray(Image.fromarray(sheet).resize((2 * TILE_PX, 3 * TILE_PX), Image.Resampling.NEAREST))
    return first_stage_tiles(wide, TILE_PX, 127)


def compared(tiles: np.ndarray, truth: np.ndarray, features: list[FeatureDistance]) -> dict[str, float]:
    """PSNR in dB over all pixels of a sheet, and feature distances, means of the tiles."""
    row = {"PSNR": decibels(float(np.square(tiles - truth).mean()))}
    for each in features:
        row[each.name] = float(np.mean([each(*pair) for pair in zip(tiles, truth)]))
    return row


def as_table(found: dict) -> str:
    """A table of Markdown."""
    names = list(next(iter(found["rows"].values())))
    lines = [f"{found['objects']} held-out meshes", "| | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for method, row in found["rows"].items():
        lines.append(f"| {method} | " + " | ".join(f"{row[name]:.4g}" for name in names) + " |")
    return "\n".join(lines) + "\n"


def draw(objects: list[list[np.ndarray]], file: Path) -> None:
    """Columns: given, sharpened, refined, true; a row of three views for each object."""
    labels = ("given (40 px)", "bicubic, sharpened", "refined", "true")
    scale, views = 2, 3
    width = views * TILE_PX * scale
    picture = Image.new("RGB", (4 * width + 30, len(objects) * TILE_PX * scale + 20), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    for column, label in enumerate(labels):
        pen.text((column * (width + 10) + 4, 4), label, fill=(0, 0, 0))
        for row, ways in enumerate(objects):
            strip = as_bytes(np.concatenate(list(ways[column][:views]), axis=1))
            strip = Image.fromarray(strip).resize((width, TILE_PX * scale), Image.Resampling.NEAREST)
            picture.paste(strip, (column * (width + 10), 20 + row * TILE_PX * scale))
    picture.save(file)


if __name__ == "__main__":
    main()
