"""The whole pipeline over a folder of pictures: seconds, agreement with the input, and a contact sheet to look at.

`run.py eval pictures --images FOLDER --out docs/results/pictures` writes NAME.csv, NAME.md and NAME.png.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput, Zero123ppError
from zero123pp.files import make_folder, write_file
from zero123pp.own import check_own
from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.commands.result_files import result_files

if TYPE_CHECKING:
    from zero123pp.pipelines.evaluation import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``eval pictures`` to ``parser``."""
    add = parser.add_argument
    add("--images", required=True, nargs="+", metavar="PATH", help="pictures, or folders of them")
    add("--out", required=True, metavar="FOLDER", help="where the .csv, .md and .png of this run are written")
    add("--name", default="pictures", metavar="NAME", help="name of the result files (default: pictures)")
    add("--skip", default="", metavar="SUFFIX", help="leave out pictures whose name ends so, for example _alpha")
    add("--meshes", metavar="FOLDER", help="also keep each mesh here, as NAME.glb")
    add("--model", default="preview", metavar="NAME", help="as for the main job (default: preview)")
    common_flags.add_config(parser)
    add("--truth", metavar="FOLDER", help="also measure against the true NAME.glb of each picture NAME.png")
    add(
        "--truth-azimuth", type=float, default=30.0, metavar="DEG", help="azimuth of the pictures' camera (default: 30)"
    )
    add("--mean-of", metavar="FOLDER", help="with --truth: measure the mean shape of these meshes beside")
    common_flags.add_seed(parser)


def run(args: argparse.Namespace) -> int:
    """Run every picture, write the result files; 1 if a picture failed."""
    from zero123pp.pipelines.evaluation import (
        TILE_PX,
        VIEWS_DEG,
        contact_sheet,
        measured,
        pictures_of,
        report,
        save_contact_sheet,
    )
    from zero123pp.pipelines.evaluation import truth as eval_truth
    from zero123pp.pipelines.image_to_mesh import ImageTo3D
    from zero123pp.pipelines.inputs import find_pictures, passed_over

    pictures = find_pictures(args.images, args.skip)
    folder = result_files(args.out, args.name)
    for images in filter(os.path.isdir, args.images):
        if others := passed_over(os.listdir(images)):
            sys.stderr.write(f"{others}\n")
    meshes = _meshes(args.meshes, pictures) if args.meshes else None
    pipe = ImageTo3D.from_pretrained(args.model, preset=args.preset, overrides=args.set)
    pipe(pictures[0], seed=args.seed)  # warm-up: compiled kernels and loaded networks
    rows: list[Row] = []
    failures: dict[str, str] = {}
    tiles: list[list[np.ndarray]] = []
    mean = eval_truth.mean_shape(args.mean_of) if args.mean_of else None
    for path in pictures:
        try:
            row, asset = measured(pipe, path, args.seed)
            if args.truth:
                truth = eval_truth.truth_of(args.truth, path.stem, args.truth_azimuth)
                row |= eval_truth.distances(asset.mesh, truth)
                row |= {} if mean is None else eval_truth.distances(mean, truth, "mean_")
        except Zero123ppError as error:
            failures[path.stem] = str(error)
            continue
        rows.append(row)
        tiles.append(pictures_of(path, asset))
        sys.stderr.write(f"{path.stem}: {row['seconds']:.1f} s, IoU with the picture {row['front_IoU']:.3f}\n")
        if meshes:
            asset.save(meshes / f"{path.stem}.glb")
    truth = f" --truth {Path(args.truth).name}" if args.truth else ""
    images = " ".join(Path(path).name for path in args.images)
    command = f"`run.py eval pictures --images {images}{truth} --model {args.model}`"
    notes = [
        command,
        f"Machine: {report.machine()}.",
        "seconds: wall time of one picture after a warm-up.",
        "front_IoU, front_PSNR: against the input picture, where it is one of the views or became one.",
    ]
    aligned = eval_truth.ALIGNED if args.truth else ("none",)
    page = report.to_markdown(
        f"Pictures through {pipe.model.name}", rows, failures, notes, aligned, picture=f"{args.name}.png"
    )
    write_file(folder / f"{args.name}.md", page)
    if rows:
        write_file(folder / f"{args.name}.csv", report.to_csv(rows))
        columns = ["picture", "cutout", *VIEWS_DEG, "normals"]
        names = [str(row["object"]) for row in rows]
        sheet = contact_sheet(tiles, row_labels=names, column_labels=columns, tile_px=TILE_PX, background=1.0)
        save_contact_sheet(folder / f"{args.name}.png", sheet)
    return 1 if failures else 0


def _meshes(folder: str, pictures: Sequence[Path]) -> Path:
    """The folder of the meshes; BadInput where one would replace another, or a file of somebody else's."""
    taken: dict[str, Path] = {}
    for path in pictures:
        if path.stem.casefold() in taken:
            both = f"{taken[path.stem.casefold()]} and {path}"
            raise BadInput(f"{both} would both be {path.stem}.glb in --meshes {folder}; rename one")
        taken[path.stem.casefold()] = path
        check_own(Path(folder, f"{path.stem}.glb"))
    return make_folder(folder)
