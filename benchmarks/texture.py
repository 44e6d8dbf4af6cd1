"""The texture alone: true geometry painted from six true views, held against pictures from other sides.

    python benchmarks/texture.py --meshes FOLDER [--count N] [--pixels 320] [--size 1024] [--set KEY=VALUE ...]

The objects of the folder keep their own surface, which is unwrapped as every other mesh and painted from the six views
of the rig v1.2, and compared from the 12 held-out cameras of `run.py eval recon`, at 320 px: "whole" is its PSNR, of
whole pictures on white; "painted" and all that follow are over the object's pixels alone.
"ceiling" is the same with the true colour in each texel of the same atlas, so what no way of painting can exceed;
"seen" is the ceiling where a view sees the surface and the painting elsewhere, "unseen" the other way round: what a
perfect guess, or perfect painting, would bring. Seconds are those of the processor.

    python benchmarks/texture.py --meshes FOLDER --keep [--count N]

is about `--texture-mesh`: the files are painted as they are, through the whole pipeline, from those six views and from
one picture (512 px, from azimuth 0 and 15 degrees up, whose camera is not told), and held against the same cameras.
"refused": no camera was found. "one colour" is what the mean colour of the views gets, which knows nothing else.
"geometry" is 1 where the
file that is written holds every corner of every face where it was, to the bit, in the file's own frame.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp import ImageTo3D
from zero123pp.cameras import orbit_camera
from zero123pp.configs import load
from zero123pp.errors import StageFailed, Zero123ppError
from zero123pp.images import to_uint8
from zero123pp.pipelines.asset import Asset
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, on_white
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.pipelines.models import read_kept_mesh
from zero123pp.pipelines.models.depth_control import in_frame
from zero123pp.pipelines.reconstruct import ReconstructionConfig
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import geometry, load_normalised
from zero123pp.recon.metrics import psnr
from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.render import look_up, render, render_picture
from zero123pp.recon.texturing import colored, texture
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView, Part, TexturedMesh

KEPT_COLUMNS = (
    "six views: whole", "six views: painted", "one picture: whole", "one picture: painted", "one colour: painted",
    "UVs kept", "geometry", "seconds",
)  # fmt: skip
COLUMNS = ("whole", "painted", "ceiling", "seen", "unseen", "share seen", "seconds")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, type=Path)
    parser.add_argument("--count", type=int, help="objects, evenly spread over the folder (default: all)")
    parser.add_argument("--pixels", type=int, default=320, help="side of a view (default: 320)")
    parser.add_argument("--size", type=int, default=1024, help="of the texture (default: 1024)")
    parser.add_argument("--keep", action="store_true", help="paint the files as they are, as --texture-mesh does")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any config value")
    args = parser.parse_args()
    overrides = (f"texture.size={args.size}", *args.set)
    config = load(ReconstructionConfig, "default", overrides).texture
    files = find_meshes(args.meshes)
    if args.count:
        files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.count, len(files))).astype(int)]
    rows = []
    columns = KEPT_COLUMNS if args.keep else COLUMNS
    print("| object | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    pipe = ImageTo3D.from_pretrained("preview", overrides=overrides) if args.keep else None
    for file in files:
        try:
            if args.keep:
                rows.append(painted_as_it_is(file, pipe, args.pixels))
            else:
                rows.append(measured(load_normalised(file), config, args.pixels))
        except Zero123ppError as error:
            print(f"| {file.stem} | {error} |", flush=True)
            continue
        print(row(file.stem, rows[-1]), flush=True)
    print(row("mean", np.nanmean(rows, axis=0)))


def row(name: str, values: np.ndarray) -> str:
    """One line of the table."""
    return f"| {name} | " + " | ".join("refused" if np.isnan(v) else f"{v:.2f}" for v in values) + " |"


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
    tries = (painted, true, *(replace(painted, base_color=each) for each in mixed))
    whole, inside = np.transpose(held_out(parts, tries))
    return [whole[0], *inside, report["seen"], seconds]


def held_out(parts: list[Part], tries: Iterable[Part]) -> list[tuple[float, float]]:
    """PSNR of each from the held-out cameras: of whole pictures on white, and over the object's pixels."""
    wanted, found = [render_picture(parts, camera) for camera in PROTOCOLS["sphere"].cameras()], []
    for tried in tries:
        pairs = [(render_picture(tried, view.camera), view) for view in wanted]
        masks = [(one.alpha > 0.5) & (two.alpha > 0.5) for one, two in pairs]
        whole = np.mean([psnr(on_white(one), on_white(two)) for one, two in pairs])
        inside = np.mean([psnr(one.rgb[mask], two.rgb[mask]) for (one, two), mask in zip(pairs, masks)])
        found.append((float(whole), float(inside)))
    return found


def painted_as_it_is(file: Path, pipe: ImageTo3D, pixels: int) -> list[float]:
    """One row of `KEPT_COLUMNS`; BadInput or StageFailed where the file cannot be painted."""
    parts = in_frame(str(file))
    views = MultiView(
        tuple(render(parts, camera) for camera in get_rig("v1.2").cameras(pixels)), source="true", rig="v1.2"
    )
    seen = render(parts, orbit_camera(0, 15, 2.2, 30, 512))
    picture = to_uint8(np.dstack([seen.rgb, seen.alpha]))
    start = time.process_time()
    assets = [pipe(views=views, texture_mesh=str(file))]
    seconds = time.process_time() - start
    try:
        assets.append(pipe(picture, texture_mesh=str(file)))
    except StageFailed:  # from no camera has the mesh the picture's outline
        picture = None
    mean = np.mean([view.rgb[view.alpha > 0.5].mean(0) for view in views.views], axis=0)
    plain = colored(assets[0].mesh, to_uint8(mean))
    scores = held_out(parts, (*(asset.textured for asset in assets), plain))
    kept = read_kept_mesh(str(file), pipe.config).atlas is not None
    same = all(is_where_it_was(asset, file) for asset in assets)
    by_picture = (np.nan, np.nan) if picture is None else scores[1]
    return [*scores[0], *by_picture, scores[-1][1], kept, same, seconds]


def is_where_it_was(asset: Asset, file: Path) -> bool:
    """Whether a written file has the corners of all faces of ``file``, in order and to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        asset.save(f"{folder}/painted.glb")
        one, two = geometry(load_parts(f"{folder}/painted.glb")), geometry(load_parts(file))
    return one.vertices[one.faces].tobytes() == two.vertices[two.faces].tobytes()


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
