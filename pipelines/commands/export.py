"""A finished .glb to other files without a new fit: `run.py export toy.glb --out small.glb --faces 2000`."""

import argparse
import sys
import time
from pathlib import Path

from zero123pp.pipelines.commands import common_flags
from zero123pp.recon.export import FileOptions, export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``export`` to ``parser``."""
    add = parser.add_argument
    add("asset", metavar="IN.glb", help="an asset of this program, .glb or .gltf")
    add("--out", required=True, metavar="FILE", help="the file to write; the suffix picks the format")
    add("--faces", type=common_flags.positive_int, metavar="N", help="triangles at most (default: all)")
    add("--texture-size", type=common_flags.positive_int, metavar="PX", help="side of the texture (default: as it is)")
    add("--normal-map", action="store_true", help="bake the normals of IN.glb into what has fewer triangles (done "
        "without asking where IN.glb has a normal map)")  # fmt: skip
    common_flags.add_levels(parser)
    common_flags.add_file(parser)
    add("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Write the files; 0."""
    from zero123pp.pipelines.commands.result import result_line

    start = time.perf_counter()
    options = FileOptions(**common_flags.file_options(args, Path(args.asset).stem))
    written = export(
        args.asset, args.out, faces=args.faces, **common_flags.levels(args), texture_size=args.texture_size,
        normal_map=args.normal_map, options=options, tell=None if args.quiet else _say,
    )  # fmt: skip
    if not args.quiet:
        seconds = time.perf_counter() - start
        for each in written:
            sys.stderr.write(f"{result_line(each.path, each.faces, each.watertight, seconds)}\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
