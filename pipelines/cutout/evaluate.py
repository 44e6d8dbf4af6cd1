"""``run.py eval cutout``: cutout methods against true alphas."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import to_float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py eval cutout``."""
    add = parser.add_argument
    add("--pictures", required=True, metavar="DIR", help="folder with pairs NAME_photo.jpg|png and NAME_alpha.png")
    add("--methods", default="bundled", metavar="LIST", help="comma-separated: bundled, rembg:MODEL (default: bundled)")
    add("--out", metavar="FILE.csv", help="also write the table of all pictures")
    add("--sheet", metavar="FILE.png", help="also write a contact sheet: photo, then each method's cutout")


def run(args: argparse.Namespace) -> int:
    """Prints the means to stdout; returns the exit code."""
    pairs = find_pairs(args.pictures)
    rows, cutouts = [], []
    for method in args.methods.split(","):
        for photo, truth in pairs:
            alpha, seconds = timed_alpha(photo, method)
            rows.append({"method": method, "picture": photo.stem, **score(alpha, truth), "seconds": seconds})
            cutouts.append((photo, alpha))
        sys.stdout.write(summary(method, [row for row in rows if row["method"] == method]) + "\n")
    if args.out:
        _write_csv(rows, Path(args.out))
    if args.sheet:
        _write_sheet(cutouts, len(pairs), Path(args.sheet))
    return 0


def find_pairs(folder: str | Path) -> list[tuple[Path, Path]]:
    """Photos with their true alphas; BadInput when there are none."""
    alphas = sorted(Path(folder).glob("*_alpha.png"))
    pairs = []
    for alpha in alphas:
        photos = [alpha.with_name(alpha.name.replace("_alpha.png", f"_photo.{kind}")) for kind in ("jpg", "png")]
        pairs += [(photo, alpha) for photo in photos if photo.is_file()][:1]
    if not pairs:
        raise BadInput(f"{folder} has no pairs NAME_photo.jpg and NAME_alpha.png")
    return pairs


def timed_alpha(photo: Path, method: str) -> tuple[np.ndarray, float]:
    """Alpha (H, W) of a photo at its own size by ``bundled`` or ``rembg:MODEL``, and the CPU seconds it took."""
    import time

    from zero123pp.pipelines.cutout import CUTOUTS, CutoutConfig
    from zero123pp.pipelines.read_image import read_image

    name, _, model = method.partition(":")
    if name not in CUTOUTS:
        raise MissingBackend(f"unknown cutout method {method!r}; choose bundled or rembg:MODEL")
    config = CutoutConfig(method=name, rembg_model=model or CutoutConfig.rembg_model)
    picture = read_image(photo)[..., :3]
    CUTOUTS[name](picture[:64, :64], config)  # loads the model, which is not timed
    start = time.process_time()
    alpha, _ = CUTOUTS[name](picture, config)
    return alpha, time.process_time() - start


def score(alpha: np.ndarray, truth: Path) -> dict[str, float]:
    """Intersection over union at 0.5, mean absolute error, and the same in the 10 px round the true outline."""
    from PIL import Image
    from scipy import ndimage

    true = to_float(np.asarray(Image.open(truth).convert("L")))
    a, b = alpha > 0.5, true > 0.5
    error = np.abs(alpha - true)
    band = ndimage.maximum_filter(true, 21) - ndimage.minimum_filter(true, 21) > 0.5
    return {
        "iou": float((a & b).sum() / max((a | b).sum(), 1)),
        "mae": float(error.mean()),
        "edge_mae": float(error[band].mean()) if band.any() else 0.0,
    }


def summary(method: str, rows: Sequence[dict]) -> str:
    """One line of means and of the worst picture."""
    mean = {key: float(np.mean([row[key] for row in rows])) for key in ("iou", "mae", "edge_mae", "seconds")}
    median, worst = float(np.median([row["iou"] for row in rows])), min(rows, key=lambda row: row["iou"])
    return (
        f"{method:<14} {len(rows)} pictures  IoU mean {mean['iou']:.4f} median {median:.4f}  MAE {mean['mae']:.4f}  "
        f"edge MAE {mean['edge_mae']:.4f}  {mean['seconds']:.2f} CPU s  worst {worst['picture']} {worst['iou']:.3f}"
    )


def _write_csv(rows: Sequence[dict], path: Path) -> None:
    import csv

    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _write_sheet(cutouts: Sequence[tuple[Path, np.ndarray]], count: int, path: Path) -> None:
    """A row of photos, then a row for each method, on magenta; several such blocks."""
    from PIL import Image

    side, columns = 150, 9
    methods = len(cutouts) // count
    blocks = -(-count // columns)
    sheet = Image.new("RGB", (columns * side, blocks * (methods + 1) * side))
    for index, (photo, alpha) in enumerate(cutouts):
        method, picture = divmod(index, count)
        at_row, column = picture // columns * (methods + 1), picture % columns
        with Image.open(photo) as image:
            rgb = image.convert("RGB")
        shown = Image.composite(rgb, Image.new("RGB", rgb.size, "magenta"), Image.fromarray(np.uint8(alpha * 255)))
        for row, tile in ((at_row, rgb), (at_row + 1 + method, shown)):
            tile.thumbnail((side, side))
            sheet.paste(tile, (column * side, row * side))
    sheet.save(path)
