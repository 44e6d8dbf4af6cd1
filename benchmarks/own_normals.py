"""A generated sheet against its own normals, with settings side by side.

    python -m benchmarks.own_normals --sheet SHEET.png --normals NORMALS.png --set fit.weight_corrected=0

There is no truth of what a model dreams, but its normal ControlNet says which way each pixel looks. Meshes made of the
sheet alone, by the defaults and by the defaults with what each --set changes, are rendered from the sheet's cameras,
and their normals compared with those drawn. With --picture the normals of all are drawn above each other.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from zero123pp import ImageTo3D
from zero123pp.images import to_uint8, untile_sheet
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.pipelines.inputs.sheets import views_from_sheet
from zero123pp.types import View

_UNIT = (0.8, 1.2)
"""Lengths of drawn normals that are taken for normals; the background's are short."""


def main() -> None:
    """Measure, print the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", required=True, type=Path)
    parser.add_argument("--normals", required=True, type=Path)
    parser.add_argument("--rig", default="v1.2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    sheet, drawn = (np.asarray(Image.open(file).convert("RGB")) for file in (args.sheet, args.normals))
    normals = untile_sheet(drawn) / 127.5 - 1
    views = views_from_sheet(sheet, args.rig)
    rows = [[shown(each, np.linalg.norm(each, axis=-1) > _UNIT[0]) for each in normals[::2]]]
    for settings in ([], *([each] for each in args.set)):
        pipe = ImageTo3D.from_pretrained("inflated", overrides=settings)
        mesh = pipe.fit(pipe.align_views(views))
        seen = [true_view([mesh], view.camera) for view in views.views]
        found = np.mean([angles(view, each) for view, each in zip(seen, normals)], axis=0)
        print(f"{' '.join(settings) or 'as it is'}: mean {found[0]:.1f}, median {found[1]:.1f} degrees")
        rows.append([shown(view.normal, view.alpha > 0.5) for view in seen[::2]])
    if args.picture:
        Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows])).quantize(200).save(args.picture)


def angles(view: View, normals: np.ndarray) -> tuple[float, float]:
    """Mean and median angle, degrees, between a view's normals and drawn ones (H, W, 3), where both show the object."""
    length = np.linalg.norm(normals, axis=-1)
    both = (view.alpha > 0.99) & (length > _UNIT[0]) & (length < _UNIT[1])
    cosine = (view.normal * normals).sum(-1)[both] / length[both]
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return float(angle.mean()), float(np.median(angle))


def shown(normals: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Normals (H, W, 3) as colours, uint8, on gray."""
    return to_uint8(np.where(on[..., None], (np.clip(normals, -1, 1) + 1) / 2, 0.8))


if __name__ == "__main__":
    main()
