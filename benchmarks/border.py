"""The border between what the picture shows of an object and what is guessed: how much colours jump across it.

    python benchmarks/border.py --pictures FOLDER [--sheet border.jpg]

Each picture of the folder becomes a mesh with the default settings. It is drawn from ten sides, and pairs of pixels
about 1 % of the object's diameter apart on one surface are compared. "border": the picture's share in the colour passes
one half between them; "picture" and "guess": both are the one or the other alone. Steps are mean absolute differences
of sRGB in [0, 1]. The picture is full of detail and the guess is smooth: a border that cannot be seen has the mean of
their steps, and "above" is what it has more than that. "front" is the PSNR of the object from the picture's camera.

The file runs in older checkouts as well (copy it there), which is how docs/assets.md compares two.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

import zero123pp.pipelines.reconstruct as reconstruct
import zero123pp.recon.texturing.bake as bake
from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.commands.cli import main as run
from zero123pp.recon.metrics import psnr
from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.render import render
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.types import TexturedMesh, View

SIDES = [(a, e) for a in (60, 90, 120, -60, -90, -120) for e in (10,)] + [(a, e) for a in (90, -90) for e in (45, -30)]
PX, APART = 256, 3
SAME_SURFACE = 0.03
"""Difference of depth up to which two pixels lie on one surface, world units."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", required=True, type=Path)
    parser.add_argument("--sheet", type=Path, help="also draw each object from both sides")
    args = parser.parse_args()
    rows, drawn = [], []
    print("| picture | border | picture | guess | above | front |\n|---|---|---|---|---|---|")
    for path in sorted(args.pictures.iterdir()):
        made, share, view = textured(path)
        rows.append([*steps(made, share), front(made, view)])
        print(f"| {path.stem} | " + " | ".join(f"{value:.4f}" for value in rows[-1]) + " |", flush=True)
        drawn.append(np.concatenate([picture(made, azimuth) for azimuth in (75, -80)], 1))
    print("| mean | " + " | ".join(f"{value:.4f}" for value in np.mean(rows, 0)) + " |")
    if args.sheet:
        Image.fromarray(np.concatenate(drawn, 0)).save(args.sheet, quality=88)


def textured(path: Path) -> tuple[TexturedMesh, np.ndarray, View]:
    """The object of a picture, the picture's share in each texel (H, W), and the picture with its camera."""
    module, kept = sys.modules["zero123pp.recon.texturing.texture"], {}
    blend, texture = module.blend, reconstruct.texture

    def told_blend(sources, points, gains, sharpness, resolution):
        found = blend(sources, points, gains, sharpness, resolution)
        weights = [bake.see(source, points, sharpness, resolution)[0] for source in sources]
        guesses = getattr(sources[-1].view, "behind", None) is not None
        least, clear = (module.STRETCHED, module.EVEN) if guesses else (module.FAINT, module.CLEAR)
        seen = np.clip((found.view_score - least) / (clear - least), 0, 1)
        kept["view"] = sources[-1].view
        kept["share"] = seen * weights[-1] / np.maximum(sum(weights), 1e-12)
        return found

    def told_texture(*args, **more):
        kept["textured"], report = texture(*args, **more)
        return kept["textured"], report

    module.blend, reconstruct.texture = told_blend, told_texture
    try:
        with tempfile.TemporaryDirectory() as folder:
            assert run(["--image", str(path), "--out", str(Path(folder, "toy.glb"))]) == 0
    finally:
        module.blend, reconstruct.texture = blend, texture
    made = kept["textured"]
    fragments = rasterize_uv(made.uvs, made.mesh.faces, *made.base_color.shape[1::-1])
    share = np.zeros((*fragments.face.shape, 1), np.float32)
    share[fragments.covered, 0] = kept["share"]
    return made, fill_nearest(share, fragments.covered)[..., 0], kept["view"]


def front(made: TexturedMesh, view: View) -> float:
    """Decibels, where both are opaque."""
    seen = render(made, view.camera)
    both = (seen.alpha == 1) & (view.alpha >= bake.OPAQUE)
    return psnr(seen.rgb[both], view.rgb[both])


def steps(made: TexturedMesh, share: np.ndarray) -> list[float]:
    """Border, picture, guess, above, see the head of this file."""
    as_color = np.repeat(np.uint8(np.clip(share, 0, 1) * 255)[..., None], 3, 2)
    of_share = TexturedMesh(made.mesh, made.uvs, as_color, made.normals)
    found: list[list[np.ndarray]] = [[], [], []]
    for azimuth, elevation in SIDES:
        camera = orbit_camera(azimuth, elevation, 2.2, 30, PX)
        seen, shares = render(made, camera), render(of_share, camera).rgb[..., 0]
        values = np.dstack([seen.rgb, seen.alpha, seen.depth, shares])
        for turned in (values, values.swapaxes(0, 1)):
            a, b = turned[APART:], turned[:-APART]
            both = (a[..., 3] == 1) & (b[..., 3] == 1) & (np.abs(a[..., 4] - b[..., 4]) < SAME_SURFACE)
            step = np.abs(a - b)[..., :3].mean(-1)
            low, high = np.minimum(a, b)[..., 5], np.maximum(a, b)[..., 5]
            for kind, is_it in enumerate(((low < 0.5) & (high >= 0.5), low > 0.98, high < 0.02)):
                found[kind].append(step[both & is_it])
    border, drawn, guessed = (float(np.concatenate(each).mean()) for each in found)
    return [border, drawn, guessed, border - (drawn + guessed) / 2]


def picture(made: TexturedMesh, azimuth: float) -> np.ndarray:
    """(H, W, 3) uint8 of one side on white."""
    seen = render(made, orbit_camera(azimuth, 10, 2.2, 30, 200))
    return np.uint8(255 * np.clip(seen.rgb * seen.alpha[..., None] + 1 - seen.alpha[..., None], 0, 1))


if __name__ == "__main__":
    main()
