"""The fit with the truth in its network's place: what a network that makes no error would gain.

    python -m benchmarks.true_corrections --meshes FOLDER --only 'NAME*' --hdri MAPS

The network's normals and moves are replaced by true ones, wherever a picture shows the same place of the true object.
"carved": at the begin of the second level everything is taken away that stands before the true surface in a picture;
"carved, at the end": once more when all steps are done. Surfaces are measured as they leave the fit.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.cameras import VIEW_FROM_CAM_AXES
from zero123pp.pipelines.commands import common_flags
from zero123pp.pipelines.evaluation import Degradation
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.pipelines.evaluation.protocol import TrueObject, get_protocol
from zero123pp.pipelines.evaluation.reconstruction import EvaluationSettings, views_of
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.pipelines.inputs import find_meshes
from zero123pp.recon.fitting import FitConfig, Look, fit, levels
from zero123pp.recon.fitting.correction import network
from zero123pp.recon.fitting.seen import transformed
from zero123pp.recon.meshing import extract, load_normalised
from zero123pp.types import MultiView, Part

WAYS = {
    "no network": (),
    "network": ("network",),
    "true normals": ("normals",),
    "true normals and moves": ("normals", "moves"),
    "carved, no normals": ("carved",),
    "true normals, carved": ("normals", "carved"),
    "true normals, carved, at the end too": ("normals", "carved", "at the end"),
}
_SLANTED = 0.15
"""Least cosine to the viewer by which a depth is turned into a distance."""
_FARTHEST = 3.0
"""Voxels beyond which distances are not told."""


class Truth:
    """Stands for `CorrectionNetwork`."""

    def __init__(self, parts: Sequence[Part], gives: Sequence[str]) -> None:
        self._parts, self._gives, self._known = parts, gives, {}

    def correction(self, look: Look) -> network.Correction:
        """The truth of a look, in full."""
        normals, trust, deeper = [], [], []
        for picture, seen in zip(look.level.pictures, look.seen):
            normal, depth = self._of(picture)
            depth = depth * look.level.per_voxel
            both = (depth > 0) & (seen.depth > 0)
            normals.append(normal)
            trust.append((depth > 0) * float("normals" in self._gives))
            deeper.append(np.where(both, depth - seen.depth, 0).astype(np.float32) * ("moves" in self._gives))
        return _Answer(look, normals, trust, deeper, self)

    def carved(self, look: Look) -> np.ndarray:
        """Distances (n, n, n), voxels, of what is left where no picture sees through to something deeper."""
        nodes = np.indices(look.sdf.shape).reshape(3, -1)
        sdf = look.sdf.reshape(-1).copy()
        for picture in look.level.pictures:
            normal, depth = self._of(picture)
            depth = depth * look.level.per_voxel
            cosine = np.clip(picture.facing(normal), _SLANTED, 1)
            x, y, z = transformed(picture.world_to_cam, *nodes)
            row, column = (y / z).astype(int), (x / z).astype(int)
            inside = (z > 0) & (row >= 0) & (column >= 0) & (row < depth.shape[0]) & (column < depth.shape[1])
            row, column = row * inside, column * inside
            before = np.clip((depth[row, column] - z) * cosine[row, column], -_FARTHEST, _FARTHEST)
            sdf = np.where(inside & (depth[row, column] > 0), np.maximum(sdf, before), sdf)
        return sdf.reshape(look.sdf.shape).astype(np.float32)

    def _of(self, picture: object) -> tuple[np.ndarray, np.ndarray]:
        """Normals in world axes, and depths in world units, 0 where they are not known."""
        if id(picture) not in self._known:
            view = true_view(self._parts, picture.camera)
            known = (view.alpha > 0.99) & picture.solid
            normals = view.normal @ VIEW_FROM_CAM_AXES @ picture.camera.world_from_cam[:3, :3].T
            self._known[id(picture)] = (normals, view.depth * known, picture)  # the picture is kept, and so its id
        return self._known[id(picture)][:2]


class _Answer(network.Correction):
    """What `Truth` says, as the fit expects it."""

    def __init__(self, look: Look, normals: list, trust: list, deeper: list, truth: Truth) -> None:
        super().__init__(look, normals, trust, deeper)
        object.__setattr__(self, "_truth", truth)

    def moved(self) -> np.ndarray:
        """Distances (n, n, n), voxels, of the surface where the truth says that it is."""
        return self._truth.carved(self.look) if "carved" in self._truth._gives else super().moved()


def fitted(parts: Sequence[Part], views: MultiView, gives: Sequence[str]) -> object:
    """The field, fitted with what ``gives`` says in the network's place."""
    if not gives:
        return fit(views, replace(FitConfig(), weight_corrected=0))
    if gives == ("network",):
        return fit(views)
    truth, run = Truth(parts, gives), levels._run

    def run_and_carve(solver: object, smooth: object, level: int, *rest: object) -> float:
        loss = run(solver, smooth, level, *rest)
        if level and "at the end" in gives:
            solver.move_to(truth.carved(smooth(solver.sdf)))
        return loss

    with patch.object(network, "bundled_correction", lambda: truth), patch.object(levels, "_run", run_and_carve):
        return fit(views)


def main() -> None:
    """Measure, and print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True)
    parser.add_argument("--only", action="append", metavar="PATTERN", help="meshes whose names match")
    parser.add_argument("--hdri", help="folder of environment maps; without, views are not lit")
    args = parser.parse_args()
    settings = EvaluationSettings(PipelineConfig(), Degradation(), lighting=common_flags.lighting(args.hdri))
    found = {way: [] for way in WAYS}
    for mesh in find_meshes(args.meshes, args.only):
        parts = load_normalised(mesh)
        views, _ = views_of(mesh.stem, parts, settings)
        truth = TrueObject(parts, get_protocol("sphere"), views=[view.camera for view in views.views])
        for way, gives in WAYS.items():
            row = truth.measure_surface(extract(fitted(parts, views, gives)))
            found[way].append([row[key] for key in ("F0.02", "CD", "NC", "bound")])
        print(mesh.stem, *(f"{rows[-1][0]:.3f}" for rows in found.values()), flush=True)
    print(f"| {len(found['network'])} objects | F@.02 | CD | normal consistency |\n|---|--:|--:|--:|")
    for way, rows in found.items():
        print("| {} | {:.3f} | {:.4f} | {:.3f} |".format(way, *np.mean(rows, axis=0)[:3]))
    print(f"bound {np.mean(found['network'], axis=0)[3]:.3f}")


if __name__ == "__main__":
    main()
