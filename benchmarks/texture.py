"""The texture alone: true geometry painted from six true views, held against pictures from other sides.

    python benchmarks/texture.py --meshes FOLDER [--count N] [--pixels 320] [--size 1024] [--set KEY=VALUE ...]

The objects of the folder keep their own surface, which is unwrapped as every other mesh and painted from the six views
of the rig v1.2, and compared from the 12 held-out cameras of `run.py eval recon`, at 320 px: "whole" is its PSNR, of
whole pictures on white; "painted" and all that follow are over the object's pixels alone.
"ceiling" is the same with the true colour in each texel of the same atlas, so what no way of painting can exceed;
"seen" is the ceiling where a view sees the surface and the painting elsewhere, "unseen" the other way round: what a
perfect guess, or perfect painting, would bring. Seconds are those of the processor.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.configs import load
from zero123pp.errors import Zero123ppError
from zero123pp.images import to_uint8
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, on_white
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.pipelines.reconstruct import ReconstructionConfig
from zero123pp.recon.meshing import geometry, load_normalised
from zero123pp.recon.metrics import psnr
from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.render import look_up, render, render_picture
from zero123pp.recon.texturing import texture
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.rigs import get_rig
from zero123pp.types import Part, TexturedMesh

COLUMNS = ("whole", "painted", "ceiling", "seen", "unseen", "share seen", "seconds")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, type=Path)
    parser.add_argument("--count", type=int, help="objects, evenly spread over the folder (default: all)")
    parser.add_argument("--pixels", type=int, default=320, help="side of a view (default: 320)")
    parser.add_argument("--size", type=int, default=1024, help="of the texture (default: 1024)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any config value")
    args = parser.parse_args()
    config = load(ReconstructionConfig, "default", (f"texture.size={args.size}", *args.set)).texture
    files = find_meshes(args.meshes)
    if args.count:
        files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.count, len(files))).astype(int)]
    rows = []
    print("| object | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for file in files:
        try:
            rows.append(measured(load_normalised(file), config, args.pixels))
        except Zero123ppError as error:
            print(f"| {file.stem} | {error} |", flush=True)
            continue
        print(row(file.stem, rows[-1]), flush=True)
    print(row("mean", np.mean(rows, axis=0)))


def row(name: str, values: np.ndarray) -> str:
    """One line of the table."""
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def measured(parts: list[Part], config: object, pixels: int) -> list[float]:
    """Decibels, share and seconds of one object, see the head of this file."""
    views = [render(parts, camera) for camera in get_rig("v1.2").cameras(pixels)]
    start = time.process_time()
    painted, report = texture(geometry(parts), views, config)
    seconds = time.process_time() - start
    true = replace(painted, base_color=true_texture(parts, painted))
    seen = (painted.confidence > 0)[..., None]
    one, other = true.base_color, painted.base_color
    mixed = [np.where(seen, one, other), np.where(seen, other, one)]
    cameras = PROTOCOLS["sphere"].cameras()
    wanted = [render_picture(parts, camera) for camera in cameras]
    whole, inside = [], []
    for tried in (painted, true, *(replace(painted, base_color=each) for each in mixed)):
        pairs = [(render_picture(tried, view.camera), view) for view in wanted]
        whole.append(np.mean([psnr(on_white(one), on_white(two)) for one, two in pairs]))
        masks = [(one.alpha > 0.5) & (two.alpha > 0.5) for one, two in pairs]
        inside.append(np.mean([psnr(one.rgb[mask], two.rgb[mask]) for (one, two), mask in zip(pairs, masks)]))
    return [whole[0], *inside, report["seen"], seconds]


def true_texture(parts: list[Part], painted: TexturedMesh) -> np.ndarray:
    """The texture (H, W, 3) uint8 with the true colour at each texel's centre."""
    height, width = painted.base_color.shape[:2]
    fragments = rasterize_uv(painted.uvs, painted.mesh.faces, width, height)
    face, weights = fragments.face[fragments.covered], fragments.barycentric[fragments.covered]
    colors, first = np.zeros((len(face), 3), np.float32), 0
    for part in parts:
        mesh = part.mesh if isinstance(part, TexturedMesh) else part
        here = (face >= first) & (face < first + len(mesh.faces))
        corners = mesh.faces[face[here] - first]
        if isinstance(part, TexturedMesh):
            uv = (weights[here][..., None] * part.uvs[corners]).sum(1)
            colors[here] = look_up(part.base_color, uv)
        elif mesh.colors is not None:
            colors[here] = (weights[here][..., None] * mesh.colors[corners]).sum(1) / 255
        else:
            colors[here] = 0.7
        first += len(mesh.faces)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[fragments.covered] = to_uint8(colors)
    return fill_nearest(picture, fragments.covered)


if __name__ == "__main__":
    main()
