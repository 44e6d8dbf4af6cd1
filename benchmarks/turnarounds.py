"""Turnarounds of known objects through the product's stages: ``python -m benchmarks.turnarounds --meshes FOLDER``.

Each object is seen without perspective from the sides of a rig, the pictures are put on one sheet, and what comes out
is measured by the protocol of docs/evaluation.md. A turnaround does not tell its size: results are scaled by the height
of the truth.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from zero123pp.images import to_uint8
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.pipelines.evaluation.protocol import TrueObject, get_protocol, measure_topology
from zero123pp.pipelines.evaluation.report import mean_row, to_csv
from zero123pp.pipelines.inputs import find_meshes
from zero123pp.pipelines.inputs.turnaround import TURNAROUNDS, camera_at, sides, turnaround_views
from zero123pp.pipelines.progress import Stages
from zero123pp.pipelines.reconstruct import ReconstructionConfig, aligned_views, closed_mesh
from zero123pp.recon.meshing import geometry, load_normalised
from zero123pp.types import Part

_PX = 360


def sheet_of(parts: list[Part], rig: str) -> np.ndarray:
    """(H, W, 4) uint8, the figures of a rig in a row, all drawn to one scale."""
    azimuths = [sides.AZIMUTHS_DEG[side] for side in TURNAROUNDS[rig]]
    views = [true_view(parts, camera_at(azimuth, 0, _PX, 1.06 / _PX)) for azimuth in azimuths]
    return np.concatenate([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views], axis=1)


def measured(path: Path, rig: str) -> dict[str, float | str]:
    """The row of one object."""
    parts = load_normalised(path)
    views = turnaround_views([sheet_of(parts, rig)], (), rig, [path.stem])
    config, stages = ReconstructionConfig(), Stages()
    views, _ = aligned_views(views, config, 0, stages)
    mesh, *_ = closed_mesh(views, config, 0, stages)
    front, true = views.views[0], geometry(parts).vertices
    rows = np.flatnonzero((front.alpha > 0.5).any(1))
    height = (rows[-1] - rows[0] + 1) * np.linalg.norm(front.camera.world_from_cam[:3, 3]) / front.camera.fy
    mesh = mesh.with_vertices(mesh.vertices * float(np.ptp(true[:, 1]) / height))
    found = TrueObject(parts, get_protocol("sphere")).measure_surface(mesh)
    kept = {key: found[key] for key in ("CD", "F0.02", "F0.05", "IoU", "NC")}
    return {"object": path.stem} | kept | measure_topology(mesh)


def main() -> None:
    """Measure, and write a CSV to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", required=True)
    parser.add_argument("--rig", default="turnaround4", choices=TURNAROUNDS)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    rows = []
    for path in find_meshes(args.meshes, args.only, "all"):
        rows.append(measured(path, args.rig))
        means = mean_row(rows)
        sys.stderr.write(f"{path.stem}: F0.02 {rows[-1]['F0.02']:.3f}, mean of {len(rows)} {means['F0.02']:.3f}\n")
    sys.stdout.write(to_csv(rows))


if __name__ == "__main__":
    main()
