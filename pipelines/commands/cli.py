"""The command line: `run.py --image toy.png --out toy.glb`, and subcommands. Imports nothing heavy to show help."""

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from zero123pp.errors import BadInput, ConfigError, MissingBackend, Zero123ppError
from zero123pp.pipelines.commands import common_flags, generation_flags
from zero123pp.pipelines.inputs import Source
from zero123pp.pipelines.models import Generation, ModelOptions

SUBCOMMANDS = {
    "batch": ("batch", "thousands of pictures, resumable, on this machine or on a Ray cluster"),
    "eval recon": ("eval_recon", "quality and speed of the reconstruction on a folder of meshes"),
    "eval views": ("eval_views", "how well models draw the six views of a folder of meshes"),
    "eval pictures": ("eval_pictures", "the main job over a folder of pictures"),
    "eval cutout": ("eval_cutout", "quality of the cutout on photos with known alphas"),
    "render objects": ("render_objects", "lit pictures of meshes, to train the cutout network"),
    "render multiview": ("render_multiview", "training samples of Zero123++ under environment light, from meshes"),
    "render solids": ("render_solids", "meshes decoded for the training of the one-picture network"),
    "export": ("export", "other files of a finished .glb: fewer triangles, levels of detail, a hull, other formats"),
    "warm": ("warm", "compile all kernels now, so that the first run is as fast as all others"),
    "doctor": ("doctor", "what this machine has, and which back-ends will be used and why"),
    "train matting": ("train_matting", "train the bundled cutout network"),
    "train multiview": ("train_multiview", "train Zero123++ and its ControlNets on rendered views"),
    "train one-view": ("train_one_view", "train the network that reads one picture of an object"),
}
"""Subcommand: the module beside this one that has its ``add_arguments(parser)`` and ``run(args)``; one line of help."""

OLD_NAMES = {"render views": "render multiview", "train views": "train multiview"}
"""Subcommands of earlier releases: they still run, under what they are called now."""

EXIT_BAD_INPUT = 2
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_EPILOG = """subcommands:
{subcommands}

examples:
  run.py --image toy.png --out toy.glb
  run.py --views sheet.png --rig v1.2 --out toy.glb
  run.py --prompt "a toy robot" --model zero123plus-v1.2 --with-normals --out robot.glb
  run.py --image toy.png --model zero123plus-v1.1 --depth-from rough.obj --out toy.glb
  run.py --image toy.png --out toy.glb --preset quality --set fit.steps=200 --report toy.json

The official Zero123++ weights are licensed CC-BY-NC 4.0: not for commercial use. Without them the bundled source
'preview' guesses the shape by a small bundled network.
exit codes: 0 done, 2 bad usage or bad input, 1 anything else."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One clear line instead of the whole usage."""
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    name = Path(sys.argv[0]).name or "zero123pp"
    try:
        if " ".join(argv[:2]) in OLD_NAMES:
            argv[:2] = OLD_NAMES[" ".join(argv[:2])].split()
        subcommand = next((known for known in SUBCOMMANDS if argv[: len(known.split())] == known.split()), None)
        if subcommand is not None:
            module, help_line = SUBCOMMANDS[subcommand]
            parser = _Parser(prog=f"{name} {subcommand}", description=help_line)
            handler = import_module(f"zero123pp.pipelines.commands.{module}")
            handler.add_arguments(parser)
            return handler.run(parser.parse_args(argv[len(subcommand.split()) :]))
        return _image_to_mesh(_main_parser(name).parse_args(argv))
    except (BadInput, ConfigError, MissingBackend) as error:
        return _fail(name, error, EXIT_BAD_INPUT)
    except Zero123ppError as error:
        return _fail(name, error, EXIT_FAILED)
    except KeyboardInterrupt:
        return _fail(name, "interrupted; nothing was written", EXIT_INTERRUPTED)


def _fail(name: str, message: object, code: int) -> int:
    sys.stderr.write(f"{name}: error: {' '.join(str(message).split())}\n")
    return code


def _main_parser(name: str) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {command:<16}{help_line}" for command, (_, help_line) in SUBCOMMANDS.items())
    parser = _Parser(
        prog=name,
        description="One picture in, one textured 3D mesh out.",
        epilog=_EPILOG.format(subcommands=lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--out",
        metavar="FILE",
        help="the mesh to write; the suffix picks the format, each as its readers expect it: .glb, .gltf and .obj in "
        "metres with Y up, .ply in metres with Z up, .stl and .3mf in millimetres with Z up",
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
    common_flags.add_mesh(parser)
    common_flags.add_file(parser)
    add("--preview", metavar="FILE", help="also draw the mesh from four sides, as .png")
    add("--turntable", metavar="FILE", help="also draw it turning: .webp, .gif or (zero123pp[film]) .mp4")
    add("--save-stages", metavar="DIR", help="also write cutout, views, alpha, depth, normals, fit.ply and report.json")
    add("--quiet", action="store_true", help="say nothing but errors")
    add("--report", metavar="FILE", help="also write the report of the run as JSON")
    generation_flags.add_table(parser, Source, *generation_flags.DRAWING, under_headings=True)
    return parser


def _image_to_mesh(args: argparse.Namespace) -> int:
    start = time.perf_counter()
    options_of_file = _check_usage(args)
    from zero123pp.files import write_json
    from zero123pp.pipelines.commands.first_run import compiling_told
    from zero123pp.pipelines.commands.result import result_line
    from zero123pp.pipelines.image_to_mesh import ImageTo3D
    from zero123pp.pipelines.progress import terminal_bars

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
    with terminal_bars(sys.stderr.isatty() and not args.quiet) as progress, compiling_told(say, last):
        asset = pipe(**generation_flags.typed(args, Source, Generation), seed=args.seed, progress=progress)
    asset.save(args.out, **options_of_file)
    if "note" in asset.extras:
        say(f"{asset.extras['model']}: {asset.extras['note']}")
    for warning in asset.report["warnings"]:
        say(f"warning: {warning}")
    if args.report:  # before the stages: it is what one looks at when those cannot be written
        write_json(asset.report, args.report)
    if args.save_stages:
        asset.save_stages(args.save_stages)
    if args.preview:
        asset.preview(args.preview)
    if args.turntable:
        with terminal_bars(sys.stderr.isatty() and not args.quiet) as progress:
            asset.turntable(args.turntable, progress=progress)
    mesh = asset.report["mesh"]
    others = [path for path in (args.preview, args.turntable) if path]
    say(result_line(args.out, mesh["faces"], mesh["watertight"], time.perf_counter() - start, others))
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _silent(line: str) -> None:
    pass


def _check_usage(args: argparse.Namespace) -> dict:
    """Refuse at once what would only fail after the work is done; returns the options of the file."""
    from zero123pp.pipelines.commands import outputs

    generation_flags.check(args)
    if args.out is None:
        raise BadInput("--out is missing; name the file to write, for example --out toy.glb")
    given = args.image or args.views
    options = common_flags.file_options(args, Path(given if given and "\0" not in given else args.out).stem or "object")
    outputs.check(args, options)
    return options
