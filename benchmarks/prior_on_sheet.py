"""The fit of a real sheet with and without the shape prior, against the sheet's own normals, which no fit is shown.

    python benchmarks/prior_on_sheet.py --sheet SHEET.png --normals NORMALS.png [--rig v1.2]

prints, for `fit.prior` none, start and guide: the mean angle in degrees between the normals of the mesh and those of
the sheet over the pixels that both show, the overlap of the outlines, and processor seconds of the fit.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.configs import load
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.pipelines.inputs.sheets import views_from_sheet
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import aligned_views, closed_mesh
from zero123pp.recon.render import render


def main() -> None:
    """Fit three times and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", required=True, type=Path)
    parser.add_argument("--normals", required=True, type=Path)
    parser.add_argument("--rig", default="v1.2")
    args = parser.parse_args()
    sheet = read_image(args.sheet)
    views = views_from_sheet(sheet, args.rig)
    truth = views_from_sheet(sheet, args.rig, normals=read_image(args.normals))
    print("| prior | mean angle, degrees | outlines, IoU | processor s |\n|---|--:|--:|--:|")
    for prior in ("none", "start", "guide"):
        config = load(PipelineConfig, "default", [f"fit.prior={prior}"])
        for _ in ("warm-up", "counts"):
            start = time.process_time()
            agreeing, _report = aligned_views(views, config, 0, Stages())
            mesh, _report = closed_mesh(agreeing, config, 0, Stages())
        seconds = time.process_time() - start
        angles, overlaps = [], []
        for view, true in zip(views.views, truth.views):
            shown = render(mesh, view.camera)
            inside, solid = true.alpha > 0.5, shown.alpha > 0.5
            overlaps.append((inside & solid).sum() / (inside | solid).sum())
            both = (true.alpha > 0.99) & (shown.alpha > 0.99)
            angles.append(np.degrees(np.arccos(np.clip((shown.normal * true.normal).sum(-1)[both], -1, 1))))
        print(f"| {prior} | {np.concatenate(angles).mean():.2f} | {np.mean(overlaps):.4f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
