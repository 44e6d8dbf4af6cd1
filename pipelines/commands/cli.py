"""The command line: `run.py --image toy.png --out toy.glb`, and subcommands. Imports nothing heavy to show help."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp import __version__
from zero123pp.errors import BadInput, ConfigError, MissingBackend, Zero123ppError
from zero123pp.pipelines.commands import common_flags, generation_flags, subcommands
from zero123pp.pipelines.commands.parser import EXIT_BAD_INPUT, Parser
from zero123pp.pipelines.inputs import Source
from zero123pp.pipelines.models import Generation, ModelOptions

if TYPE_CHECKING:
    from zero123pp.pipelines.asset import Asset

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

EXAMPLES = """  {name} toy.png                                   a picture to toy.glb beside it
  {name} toy.png --out toy.obj --faces 5000        another format, fewer triangles
  {name} batch --images pictures/ --out results/   many pictures"""

_USAGE = """{name} PICTURE [--out FILE] [options]
       {name} SUBCOMMAND ... (each has its own --help)"""

_DESCRIPTION = """One picture in, one textured 3D mesh out.

subcommands:
{subcommands}

examples:
{examples}
  {name} --views sheet.png --rig v1.2 --out toy.glb
  {name} --prompt "a toy robot" --model zero123plus-v1.2 --with-normals --out robot.glb
  {name} --views capture/ --preset quality --set fit.steps=200 --report toy.json"""

_EPILOG = """The official Zero123++ weights are licensed CC-BY-NC 4.0: not for commercial use. Without them the bundled
source 'preview' guesses the shape by a small bundled network.
exit codes: 0 done, 2 bad usage or bad input, 130 stopped by Ctrl-C, 1 anything else."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    name = Path(sys.argv[0]).name or "zero123pp"
    try:
        if not argv:
            examples = EXAMPLES.format(name=name)
            sys.stdout.write(f"One picture in, one textured 3D mesh out:\n{examples}\n{name} --help tells the rest.\n")
            return 0
        subcommand = subcommands.asked_for(argv)
        if subcommand is not None:
            module, help_line = subcommands.SUBCOMMANDS[subcommand]
            parser = Parser(prog=f"{name} {subcommand}", description=help_line)
            handler = import_module(f"zero123pp.pipelines.commands.{module}")
            handler.add_arguments(parser)
            return handler.run(parser.parse_args(argv[len(subcommand.split()) :]))
        return _image_to_mesh(_main_parser(name).parse_args(argv))
    except (BadInput, ConfigError, MissingBackend) as error:
        return _fail(name, error, EXIT_BAD_INPUT)
    except Zero123ppError as error:
        return _fail(name, error, EXIT_FAILED)
    except OSError as error:  # a file or folder that may not be read, a name that is too long, ...
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)!r}: "
        return _fail(name, f"{where}{error.strerror or error}", EXIT_BAD_INPUT)
    except KeyboardInterrupt as stopped:
        return _fail(name, f"interrupted; {str(stopped) or 'nothing was written'}", EXIT_INTERRUPTED)


def _fail(name: str, message: object, code: int) -> int:
    sys.stderr.write(f"{name}: error: {' '.join(str(message).split())}\n")
    return code


def _main_parser(name: str) -> argparse.ArgumentParser:
    listed, examples = subcommands.listed(), EXAMPLES.format(name=name)
    parser = Parser(
        prog=name,
        usage=_USAGE.format(name=name),
        description=_DESCRIPTION.format(name=name, subcommands=listed, examples=examples),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="the picture of one object, as --image")
    add("--version", action="version", version=f"zero123pp {__version__}")
    add(
        "--out",
        metavar="FILE",
        help="the mesh to write (default: NAME.glb beside the picture, where there is no such file yet); the suffix "
        "picks the format, each as its readers expect it: .glb, .gltf and .obj in metres with Y up, "
        ".ply in metres with Z up, .stl and .3mf in millimetres with Z up, .usdz (zero123pp[usd])",
    )
    add(
        "--model",
        default="auto",
        metavar="NAME",
        help="auto, preview, zero123plus-v1.1, zero123plus-v1.2, a checkpoint folder or a hub id; auto takes the "
        "official weights if they are on this machine or may be downloaded, else preview (default: auto)",
    )
    add(
        "--download",
        action="store_true",
        help="agree to download weights that are not here (or set ZERO123PP_DOWNLOAD=1)",
    )
    generation_flags.add_table(parser, Source)
    common_flags.add_config(parser)
    common_flags.add_seed(parser)
    common_flags.add_drawing(parser)
    common_flags.add_prompts(parser)
    common_flags.add_mesh(parser)
    common_flags.add_file(parser)
    common_flags.add_levels(parser)
    add("--preview", metavar="FILE", help="also draw the mesh from four sides, as .png")
    add("--turntable", metavar="FILE", help="also draw it turning: .webp, .gif or (zero123pp[film]) .mp4")
    add("--save-stages", metavar="DIR", help="also write cutout, views, alpha, depth, normals, fit.ply and report.json")
    add("--quiet", action="store_true", help="say nothing but errors")
    add(
        "--report",
        metavar="FILE",
        help="also write how it went: .json, or .html, one page "
        "with the object to turn, its stages and every warning, which opens without a network",
    )
    generation_flags.add_table(parser, Source, *generation_flags.DRAWING, under_headings=True)
    return parser


def _image_to_mesh(args: argparse.Namespace) -> int:
    start = time.perf_counter()
    options_of_file = _check_usage(args)
    from zero123pp.pipelines.commands import outputs
    from zero123pp.pipelines.commands.first_run import compiling_told
    from zero123pp.pipelines.commands.result import result_line
    from zero123pp.pipelines.image_to_mesh import ImageTo3D
    from zero123pp.pipelines.progress import told_progress
    from zero123pp.recon.export import files_of

    options = generation_flags.typed(args, ModelOptions) | {"device": args.device}
    pipe = ImageTo3D.from_pretrained(
        args.model if args.views is None else "preview",
        preset=args.preset,
        overrides=common_flags.overrides(args),
        download=args.download,
        **options,
    )
    say = _silent if args.quiet else _say
    last = ["texture", "fit"] if args.normals is None else ["texture", "normals"]
    with told_progress(args.quiet) as progress, compiling_told(say, last):
        asset = pipe(**generation_flags.typed(args, Source, Generation), seed=args.seed, progress=progress)
    if args.is_new:
        outputs.refuse_existing(args.out)  # again: it may have come meanwhile
    levels = common_flags.levels(args)
    beside = files_of(args.out, **levels)[1:]
    if beside or args.for_print:
        asset.export(args.out, **levels, **options_of_file, tell=say)
    else:
        asset.save(args.out, **options_of_file)
    if "note" in asset.extras:
        say(f"{asset.extras['model']}: {asset.extras['note']}")
    for warning in asset.report["warnings"]:
        say(f"warning: {warning}")
    try:
        _write_beside(asset, args, options_of_file["name"])
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(f"{args.out} was written, what was to follow was not") from stopped
    mesh = asset.report["mesh"]
    others = [*beside, *(path for path in (args.preview, args.turntable, args.report) if path)]
    say(result_line(args.out, mesh["faces"], mesh["watertight"], time.perf_counter() - start, others))
    return 0


def _write_beside(asset: "Asset", args: argparse.Namespace, name: str) -> None:
    """The report, the stages and the pictures that were asked for."""
    from zero123pp.pipelines.progress import told_progress

    if args.report:  # before the stages: it is what one looks at when those cannot be written
        asset.save_report(args.report, name=name)
    if args.save_stages:
        asset.save_stages(args.save_stages)
    if args.preview:
        asset.preview(args.preview)
    if args.turntable:
        with told_progress(args.quiet) as progress:
            asset.turntable(args.turntable, progress=progress)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _silent(line: str) -> None:
    pass


def _check_usage(args: argparse.Namespace) -> dict:
    """Refuse at once what would only fail after the work is done; returns the options of the file."""
    from zero123pp.pipelines.commands import outputs

    outputs.complete(args)
    generation_flags.check(args)
    given = args.image or args.views
    options = common_flags.file_options(args, Path(given if given and "\0" not in given else args.out).stem or "object")
    outputs.check(args, options)
    return options
