"""``run.py render multiview``: meshes to training samples of a multi-view model, lit by environment maps.

A sample is a query view and the six target views of a rig with alpha, depth and normals; docs/training.md describes
the files, `zero123pp.render.shards` reads them.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero123pp.errors import BadInput, ConfigError
from zero123pp.pipelines.commands import common_flags

if TYPE_CHECKING:
    from zero123pp.pipelines.training_data.multiview import Layout


DEFAULT_FOLDER = "~/.objaverse"
"""That of the package objaverse."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render multiview``."""
    add = parser.add_argument
    add("--meshes", metavar="DIR", help="folder of meshes; y up. A MANIFEST.json there may name groups")
    add("--objaverse", nargs="?", const=DEFAULT_FOLDER, metavar="CACHE", help="objects of Objaverse instead, from the "
        f"cache of its package (default: {DEFAULT_FOLDER})")  # fmt: skip
    add("--where", action="append", default=[], metavar="KEY=VALUE", help="which: source=objaverse, lvis or xl, "
        "licences=[by,cc0], faces=[100,200000], animated=false, textured=true, categories=[chair], uids=FILE, limit=N "
        "(repeatable)")  # fmt: skip
    add("--download", action="store_true", help="agree to fetch objects and annotations that are not in the cache")
    add("--hdri", required=True, metavar="DIR", help="folder of equirectangular .hdr environment maps")
    add("--out", required=True, metavar="DIR", help="folder of the samples; run the same command again to go on there")
    add("--only", action="append", metavar="PATTERN", help="names of meshes to take, for example 'ycb_*'; repeatable")
    layouts = "tar shards for WebDataset, or the folders InstantMesh fine-tunes on, without depth and normals"
    add("--layout", choices=("shards", "instantmesh"), default="shards", help=f"{layouts} (default: shards)")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")
    add("--passes", type=int, metavar="N", help="passes over a mesh, 12 queries and their mirror images each (1)")
    add("--passes-of", action="append", default=[], metavar="GROUP=N", help="passes over the meshes of a group of the "
        "manifest, for rare ones; repeatable")  # fmt: skip
    add("--rig", metavar="NAME", help="cameras of the targets: v1.1 or v1.2 (default: v1.2)")
    add("--tile-px", type=int, metavar="PX", help="side of a target view (default: 320)")
    add("--query-px", type=int, metavar="PX", help="side of a query view (default: 512)")
    add("--per-shard", type=int, default=16, metavar="N", help="passes in a tar; a killed run loses one at most (16)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any value of ViewsConfig, e.g. glossy=0.3")
    common_flags.add_seed(parser)


def run(args: argparse.Namespace) -> int:
    """Renders what is missing; 0, or 1 when no mesh gave a sample."""
    from zero123pp.configs import load
    from zero123pp.pipelines.inputs import Shard, find_meshes, read_manifest
    from zero123pp.pipelines.progress import told_progress
    from zero123pp.pipelines.training_data.multiview import Attempts, Job, keep_settings
    from zero123pp.render import ViewsConfig, find_hdr

    shard = Shard.parse(args.shard)
    if (args.meshes is None) == (args.objaverse is None):
        raise BadInput("give one of --meshes and --objaverse: where the objects come from")
    for name in ("where", "download"):
        if args.objaverse is None and getattr(args, name):
            raise BadInput(f"--{name} belongs to --objaverse, which is missing")
    if args.objaverse is not None and args.only:
        raise BadInput("--only is about names of files; of Objaverse choose with --where, for example uids=FILE")
    given = {name: getattr(args, name) for name in ("passes", "rig", "tile_px", "query_px")}
    overrides = [f"{name}={value}" for name, value in given.items() if value is not None]
    config = load(ViewsConfig, "default", [*overrides, *args.set])
    if args.per_shard < 1 or args.seed < 0:
        raise BadInput(f"--per-shard is {args.per_shard} and --seed {args.seed}; expected at least 1 and 0")
    lights = find_hdr(args.hdri)
    folder = Path(args.out)
    if args.objaverse is None:
        entries = read_manifest(args.meshes)
        groups = {name: str(entry["group"]) for name, entry in entries.items() if entry.get("group")}
        meshes, more = find_meshes(args.meshes, args.only), {"groups": groups}
    else:
        meshes, more = _of_objaverse(args, folder)
    more |= {"passes_of": _passes_of(args.passes_of), "seed": args.seed, "per_part": args.per_shard}
    job = Job(meshes, lights, config, **more)
    layout = _layout(args, folder)
    try:
        keep_settings(folder, job.settings(args.layout))
        wall, cpu = time.perf_counter(), time.process_time()
        with told_progress() as bars:
            progress = None if bars is None else lambda fraction: bars("render", fraction)
            tally = job.run(layout, shard, progress, Attempts(folder))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        failures = _finish(layout, folder)
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error}") from error
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to go on\n")
        return 130
    each = (
        f", {wall / tally.samples:.3f} s and {cpu / tally.samples:.3f} processor seconds each" if tally.samples else ""
    )
    sys.stderr.write(
        f"{tally.samples} samples rendered{each}; {tally.found} parts were there; "
        f"{len(failures)} of {len({each.mesh for part in job.parts for each in part})} meshes failed (failures.json)\n"
    )
    return 0 if tally.samples or tally.found else 1


def _of_objaverse(args: argparse.Namespace, folder: Path) -> tuple[list[Path], dict[str, Any]]:
    """The meshes that were chosen, and what a job is to know of them."""
    from zero123pp.configs import load
    from zero123pp.pipelines.training_data.multiview import Cache, ObjaverseFilter, chosen_once

    cache = Cache(args.objaverse, download=args.download)
    try:
        wanted = load(ObjaverseFilter, overrides=args.where)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--set", "--where")) from error
    chosen = chosen_once(cache, wanted, folder)
    by_name = {cache.mesh(each).name: each for each in chosen}
    groups = {cache.mesh(each).stem: each.group for each in chosen}
    sys.stderr.write(f"{len(chosen)} objects of Objaverse\n")
    supply = partial(cache.supply, by_name=by_name)
    return [cache.mesh(each) for each in chosen], {"groups": groups, "supply": supply}


def _layout(args: argparse.Namespace, folder: Path) -> "Layout":
    from zero123pp.pipelines.training_data.multiview import InstantMeshFolders, TarShards

    return TarShards(folder) if args.layout == "shards" else InstantMeshFolders(folder)


def _passes_of(texts: list[str]) -> dict[str, int]:
    """Group to number of passes, from texts like 'ycb=4'."""
    passes = {}
    for text in texts:
        group, _, count = text.rpartition("=")
        if not group or not (count.isascii() and count.isdigit()) or not 1 <= int(count) <= 4096:
            raise BadInput(f"--passes-of is {text!r}; expected GROUP=N with N from 1 on, for example ycb=4")
        passes[group] = int(count)
    return passes


def _finish(layout: "Layout", folder: Path) -> dict[str, str]:
    """Lists failures and whatever the layout sums up; of all parts that are here, whoever made them."""
    from zero123pp.files import write_file
    from zero123pp.pipelines.training_data.multiview import FAILURES

    failures = dict(sorted(layout.failures().items()))
    write_file(folder / FAILURES, json.dumps(failures, indent=1))
    layout.finish()
    return failures
