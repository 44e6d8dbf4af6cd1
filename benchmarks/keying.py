"""Alpha of generated sheets: how well the keying of a plain background finds the true one.

    python benchmarks/keying.py --meshes FOLDER [--sheet SHEET.png --normals NORMALS.png]

renders each mesh by a rig, composites the views on the gray of Zero123++ (or on white), disturbs the sheet as a VAE's
decoder does, keys it, and compares with the true alpha; writes benchmarks/results/keying.md. The disturbance is a
blur of 0.6 px, correlated noise of 1.2 of 255 levels everywhere and of 4 levels within 8 px of an outline: what the
background of a real generated sheet shows. With --sheet, a real sheet is keyed as well and compared with the matting
by its own normals.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import over, tile_sheet, to_uint8
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.report import machine
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.pipelines.inputs.sheets import views_from_sheet
from zero123pp.recon.meshing.parts import load_normalised

BLUR_PX = 0.6
NOISE, EDGE_NOISE = 1.2 / 255, 4 / 255
EDGE_PX = 8


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, type=Path)
    parser.add_argument("--only", nargs="*", help="patterns of file names")
    parser.add_argument("--backgrounds", nargs="+", type=int, default=[127, 255])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--normals", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "keying.md")
    args = parser.parse_args()
    rows = []
    for path in find_meshes(args.meshes, args.only):
        views = ground_truth_views(load_normalised(path)).views
        rgb, alpha = np.stack([v.rgb for v in views]), np.stack([v.alpha for v in views])
        for background in args.backgrounds:
            sheet = disturbed(over(rgb, alpha, background / 255), alpha, np.random.default_rng(len(rows)))
            try:
                found = np.stack([v.alpha for v in views_from_sheet(to_uint8(tile_sheet(sheet)), "v1.2").views])
            except BadInput:  # nothing found: an object of the background's colour
                found = np.zeros_like(alpha)
            rows.append((path.stem, background, *scores(found, alpha)))
            sys.stderr.write(f"{rows[-1]}\n")
    lines = [f"`python benchmarks/keying.py` on {machine()}", ""]
    lines += ["| object | background | IoU | MAE | edge MAE |", "|---|---|---|---|---|"]
    for background in args.backgrounds:
        values = np.array([row[2:] for row in rows if row[1] == background])
        lines += [_row("mean", background, values.mean(0)), _row("median", background, np.median(values, 0))]
    lines += [_row(*row[:2], row[2:]) for row in rows]
    if args.sheet and args.normals:
        lines += ["", f"{args.sheet.name} against the matting by its normals: " + real(args.sheet, args.normals)]
    args.out.write_text("\n".join(lines) + "\n")


def disturbed(tiles: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tiles (V, S, S, 3) after the decoder's stand-in."""
    from scipy import ndimage

    result = []
    for tile, mask in zip(tiles, alpha > 0.5):
        to_edge = ndimage.distance_transform_edt(mask) + ndimage.distance_transform_edt(~mask)
        amount = np.where(to_edge < EDGE_PX, EDGE_NOISE, NOISE)[..., None]
        noise = ndimage.gaussian_filter(rng.normal(size=tile.shape), (0.7, 0.7, 0))
        result.append(ndimage.gaussian_filter(tile, (BLUR_PX, BLUR_PX, 0)) + amount * noise / noise.std())
    return np.stack(result)


def scores(found: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    """IoU of alpha > 0.5 over the six views, mean absolute error, and that error within 8 px of the true outline."""
    from scipy import ndimage

    a, b = found > 0.5, true > 0.5
    iou = (a & b).sum() / max((a | b).sum(), 1)
    edge = np.stack([ndimage.binary_dilation(m, iterations=8) & ~ndimage.binary_erosion(m, iterations=8) for m in b])
    error = np.abs(found - true)
    return float(iou), float(error.mean()), float(error[edge].mean())


def real(sheet: Path, normals: Path) -> str:
    """Scores of a generated sheet against the alpha that its normals give."""
    from PIL import Image

    from zero123pp.images import untile_sheet
    from zero123pp.pipelines.models.normal_matting import matte_from_normals

    picture, drawn = (np.asarray(Image.open(file).convert("RGB")) for file in (sheet, normals))
    cutout, _ = matte_from_normals(picture, drawn)
    found = np.stack([view.alpha for view in views_from_sheet(picture, "v1.2").views])
    iou, mae, edge = scores(found, untile_sheet(cutout[..., 3]) / 255)
    return f"IoU {iou:.4f}, MAE {mae:.4f}, edge MAE {edge:.4f}"


def _row(name: str, background: int, values: object) -> str:
    return f"| {name} | {background} | " + " | ".join(f"{value:.4f}" for value in values) + " |"


if __name__ == "__main__":
    main()
