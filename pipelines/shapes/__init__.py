"""``run.py render shapes``: views and signed distances of meshes, to train the shape prior on.

One ``.npz`` a pass over an object: ``pixels`` (18, S, S, 7) uint8, ``world_from_cam`` (18, 4, 4), ``intrinsics``
(18, 4) as fx, fy, cx, cy, ``elevations_deg`` (18,), ``points`` (P, 3) and ``sdf`` (P,) float16, ``surface`` (Q, 3)
float16, ``surface_normals`` (Q, 3) float16 and ``surface_rgb`` (Q, 3) uint8; world frame, see `views` and `distances`.
"""

import argparse
import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.manifest import read_manifest
from zero123pp.pipelines.shard import Shard

PASSES = {"scan": 4, "model": 3, "market": 2, "kit": 1}
"""Passes over an object of each class: each has other directions, so what is rare is at least seen from all sides."""

_CLASS_OF_GROUP = {
    "ycb": "scan", "gso": "scan", "polyhaven": "scan", "khronos": "scan",
    "gazebo": "model", "smallhouse": "model", "bookstore": "model", "kenneycity": "model",
    "market": "market", "quaternius": "kit", "kaykit": "kit",
}  # fmt: skip

_OTHER_RIG_EVERY = 4
"""Every how many passes the rig is v1.1 instead of v1.2."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py render shapes``."""
    add = parser.add_argument
    add("--meshes", required=True, metavar="DIR", help="folder of .glb files; a MANIFEST.json there may name groups")
    add("--out", required=True, metavar="DIR", help="folder for <class>/<mesh>.<pass>.npz; what is there is kept")
    add("--shard", default="1/1", metavar="I/N", help="do the I-th of N parts only, for N processes side by side")
    add("--size-px", type=int, default=128, metavar="PX", help="side of the tiles, px (default: 128)")
    add("--points", type=int, default=24_000, metavar="N", help="points with distances a pass (default: 24000)")
    add("--surface", type=int, default=4096, metavar="N", help="coloured surface points a pass (default: 4096)")


def run(args: argparse.Namespace) -> int:
    """Renders what is missing, in an order in which any first part is a fair sample; returns the exit code."""
    folder, shard = Path(args.meshes), Shard.parse(args.shard)
    classes = _classes(folder)
    passes = [
        (zlib.crc32(f"{mesh.stem}.{number}".encode()), mesh, number)
        for mesh in folder.glob("*.glb")
        for number in range(PASSES[classes.get(mesh.stem, "kit")])
    ]
    if not passes:
        raise BadInput(f"{args.meshes} has no .glb files to render")
    passes = [each for row, each in enumerate(sorted(passes)) if shard.has(row)]
    failed = {}
    for done, (key, mesh, number) in enumerate(passes):
        target = Path(args.out) / classes.get(mesh.stem, "kit") / f"{mesh.stem}.{number}.npz"
        if not target.exists():
            try:
                _write(target, render_pass(mesh, key, args.size_px, args.points, args.surface))
            except BadInput as error:
                failed[mesh.name] = str(error)
                sys.stderr.write(f"left out: {error}\n")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done + 1} of {len(passes)}")
    (Path(args.out) / f"failed_{args.shard.replace('/', '_of_')}.json").write_text(json.dumps(failed, indent=1))
    return 0


def _classes(folder: Path) -> dict[str, str]:
    """Mesh name to a key of `PASSES`, from the manifest's groups."""
    return {name: _CLASS_OF_GROUP.get(entry.get("group"), "kit") for name, entry in read_manifest(folder).items()}


def render_pass(mesh: Path, key: int, size_px: int, point_count: int, surface_count: int) -> dict[str, np.ndarray]:
    """The arrays of one pass; ``key`` fixes its draws. Raises BadInput when the mesh cannot be read."""
    from zero123pp.cameras import OBJECT_RADIUS
    from zero123pp.pipelines.ground_truth import load_normalised
    from zero123pp.pipelines.shapes.distances import near_and_far_points, sample_colored, signed_distances
    from zero123pp.pipelines.shapes.views import render_tiles

    rng = np.random.default_rng(key)
    parts = load_normalised(mesh)
    surface = sample_colored(parts, surface_count, rng)
    points = near_and_far_points(surface.points, point_count, OBJECT_RADIUS, rng)
    points = points.astype(np.float16).astype(np.float32)  # the distances belong to the points as they are stored
    sdf = signed_distances(parts, points)
    tiles = render_tiles(parts, "v1.1" if key % _OTHER_RIG_EVERY == 0 else "v1.2", size_px, rng)
    cameras = tiles.cameras
    return {
        "pixels": tiles.pixels,
        "world_from_cam": np.stack([c.world_from_cam for c in cameras]).astype(np.float32),
        "intrinsics": np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras], np.float32),
        "elevations_deg": tiles.elevations_deg,
        "points": points.astype(np.float16),
        "sdf": sdf.astype(np.float16),
        "surface": surface.points.astype(np.float16),
        "surface_normals": surface.normals.astype(np.float16),
        "surface_rgb": surface.rgb,
    }


def _write(target: Path, arrays: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(temporary, target)
