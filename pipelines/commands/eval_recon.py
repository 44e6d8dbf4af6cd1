"""Quality and speed of the reconstruction: ground-truth views of known meshes through the product's own stages.

`run.py eval recon --meshes FOLDER --out docs/results/recon` writes NAME.csv, NAME.md and NAME.png; docs/evaluation.md
says what each number means.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.commands.result_files import result_files
from zero123pp.pipelines.inputs import SPLITS, find_meshes

if TYPE_CHECKING:
    import numpy as np

    from zero123pp.pipelines.evaluation import EvaluationSettings, Reconstructions

_NOISE = 0.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``eval recon`` to ``parser``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="FOLDER", help="folder of meshes, or one mesh; y up, front at +z")
    add("--out", required=True, metavar="FOLDER", help="where the .csv, .md and .png of this run are written")
    add("--only", action="append", metavar="PATTERN", help="names of objects to take, for example 'ycb_*'; repeatable")
    add(
        "--split",
        default="all",
        choices=SPLITS,
        help="tune settings on one half of the objects and report them on the other; the halves are fixed by a hash of "
        "each object's name (default: all)",
    )
    add(
        "--protocol",
        default="sphere",
        metavar="NAME",
        help="units, samples and held-out cameras: sphere, syncdreamer, crm or instantmesh (default: sphere)",
    )
    add(
        "--align",
        default="none",
        choices=("none", "yaw", "shape", "icp", "all"),
        help="also measure after an alignment to the truth: yaw turns about the vertical axis, shape turns and "
        "scales, icp is iterative closest points in position, rotation and scale, all reports none, yaw, shape and icp "
        "side by side (default: none)",
    )
    add("--scale", type=float, default=1.0, metavar="F", help="size of the objects before the cameras (default: 1)")
    add("--name", metavar="NAME", help="name of the result files (default: made from the settings)")
    add("--rig", default="v1.2", metavar="NAME", help="the cameras of the views: v1.1 or v1.2 (default: v1.2)")
    add("--tile", type=int, default=320, metavar="PX", help="side of each view (default: 320)")
    add("--with-normals", action="store_true", help="hand the true view-space normals to the fit")
    add("--with-depth", action="store_true", help="hand the true depths to the fit")
    add(
        "--with-picture",
        action="store_true",
        help="hand over a picture from azimuth 0 as well, whose camera the stages have to find",
    )
    add("--warp", type=float, default=0, metavar="PX", help="smooth random warp of each view, rms (default: 0)")
    add("--gain", type=float, default=0, metavar="F", help="random brightness of each view, +- this share (default: 0)")
    add(
        "--noise",
        type=float,
        default=0,
        nargs="?",
        const=_NOISE,
        metavar="STD",
        help=f"pixel noise of the colours, which lie in 0..1 (default: 0; without a number {_NOISE})",
    )
    common_flags.add_hdri(parser)
    add(
        "--light-fixed-to",
        default="object",
        choices=("object", "camera"),
        help="with --hdri: the light stands still, or goes round the object with the camera (default: object)",
    )
    add("--blur", type=float, default=0, metavar="PX", help="Gaussian blur of each view (default: 0)")
    common_flags.add_config(parser)
    common_flags.add_seed(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, write the result files, and say the means on stdout; 1 if an object could not be reconstructed."""
    from zero123pp.configs import load
    from zero123pp.pipelines.evaluation import Degradation, EvaluationSettings, evaluate, get_protocol
    from zero123pp.pipelines.image_to_mesh import PipelineConfig
    from zero123pp.rigs import get_rig

    get_rig(args.rig)
    get_protocol(args.protocol)
    if args.tile < 32:
        raise BadInput(f"--tile is {args.tile}; expected at least 32 px")
    if not 0.05 <= args.scale <= 1.5:
        raise BadInput(f"--scale is {args.scale}; expected 0.05 to 1.5, the cameras see no more")
    if args.light_fixed_to != "object" and args.hdri is None:
        raise BadInput("--light-fixed-to belongs to --hdri, which is missing")
    settings = EvaluationSettings(
        config=load(PipelineConfig, args.preset, args.set),
        degradation=Degradation(warp_px=args.warp, gain=args.gain, noise=args.noise, blur_px=args.blur),
        rig=args.rig,
        tile_px=args.tile,
        with_normals=args.with_normals,
        with_depth=args.with_depth,
        with_picture=args.with_picture,
        seed=args.seed,
        protocol=args.protocol,
        alignments=("none", "yaw", "shape", "icp") if args.align == "all" else tuple({"none": 0, args.align: 0}),
        scale=args.scale,
        lighting=common_flags.lighting(args.hdri),
        light_fixed_to=args.light_fixed_to,
    )
    meshes = find_meshes(args.meshes, args.only, args.split)
    preset = Path(str(args.preset)).stem
    rest = [word for word, usual in ((preset, "default"), (args.split, "all")) if word != usual]
    name = args.name or "_".join([args.rig, settings.label, *rest])
    folder = result_files(args.out, name)
    results = evaluate(meshes, settings, log=sys.stderr.write)
    sys.stdout.write(_write(results, settings, folder, name, args))
    return 1 if results.failures else 0


def _write(
    results: "Reconstructions", settings: "EvaluationSettings", folder: Path, name: str, args: argparse.Namespace
) -> str:
    """Write the result files; returns the means as text."""
    from zero123pp.files import write_file
    from zero123pp.pipelines.evaluation import headline, report, save_contact_sheet

    title = f"Reconstruction from {settings.rig} views, {settings.label}"
    picture = f"{name}.png" if results.pictures else None
    page = report.to_markdown(
        title, results.rows, results.failures, _notes(settings, args), settings.alignments, picture=picture
    )
    write_file(folder / f"{name}.md", page)
    if not results.rows:
        return "no object was reconstructed\n"
    write_file(folder / f"{name}.csv", report.to_csv(results.rows))
    save_contact_sheet(folder / f"{name}.png", _sheet(results, headline(settings.protocol)[1]))
    means = {key: value for key, value in report.mean_row(results.rows).items() if report.suffix(key) is None}
    return "".join(f"{key:<20}{value if isinstance(value, str) else f'{value:.4g}'}\n" for key, value in means.items())


def _notes(settings: "EvaluationSettings", args: argparse.Namespace) -> list[str]:
    """What is needed to repeat the run."""
    from zero123pp.configs import describe
    from zero123pp.pipelines.evaluation import get_protocol, machine, options_of

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    protocol = get_protocol(settings.protocol)
    stages = ("fit.", "extract.", "clean.", "register.", "texture.")
    values = [f"{key} {value}" for key, value in describe(settings.config).items() if key.startswith(stages)]
    command = ["run.py eval recon", f"--meshes {Path(args.meshes).resolve().name}", *options_of(args, parser)]
    return [
        f"`{' '.join(command)}`",
        f"Protocol {protocol.name} ({protocol.about}); units, samples and cameras: docs/evaluation.md. "
        "No alignment, but where a column or row names one.",
        f"Machine: {machine()}.",
        f"Config: {', '.join(values)}.",
    ]


def _sheet(results: "Reconstructions", score: str) -> "np.ndarray":
    """Two objects a row, each with its name and numbers, ``score`` among them."""
    from zero123pp.pipelines.evaluation import contact_sheet

    rows, captions = [], []
    for index, (row, tiles) in enumerate(zip(results.rows, results.pictures)):
        if index % 2 == 0:
            rows.append([])
            captions.append([])
        text = f"{row['object']}   CD {row['CD']:.4f}   {score} {row[score]:.2f}   {row['PSNR']:.1f} dB"
        rows[-1] += tiles
        captions[-1] += [text] + [""] * (len(tiles) - 1)
    return contact_sheet(rows, captions=captions, tile_px=88, background=0.8)
