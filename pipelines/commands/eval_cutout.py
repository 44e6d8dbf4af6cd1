"""``run.py eval cutout``: cutout methods against true alphas."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import check_folder, write_file
from zero123pp.images import own_png
from zero123pp.own import check_own, check_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py eval cutout``."""
    add = parser.add_argument
    add("--pictures", required=True, metavar="DIR", help="folder with pairs NAME_photo.jpg|png and NAME_alpha.png")
    add("--methods", default="bundled", metavar="LIST", help="comma-separated: bundled, rembg:MODEL (default: bundled)")
    add("--out", metavar="FILE.csv", help="also write the table of all pictures")
    add("--sheet", metavar="FILE.png", help="also write a contact sheet: photo, then each method's cutout")


def run(args: argparse.Namespace) -> int:
    """Prints the means to stdout; returns the exit code."""
    from zero123pp.pipelines.evaluation import find_pairs, score, summary, timed_alpha

    for path in filter(None, (args.out, args.sheet)):
        check_folder(Path(path))
    if args.out:
        check_table(args.out, "method,picture,")
    if args.sheet:
        check_own(args.sheet, ".png")
    if args.out and args.sheet and Path(args.out).resolve() == Path(args.sheet).resolve():
        raise BadInput(f"--out and --sheet would write the same file {args.out}; choose another name for one of them")
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


def _write_csv(rows: Sequence[dict], path: Path) -> None:
    import csv

    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    write_file(path, text.getvalue())


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
    write_file(path, own_png(np.asarray(sheet)))
