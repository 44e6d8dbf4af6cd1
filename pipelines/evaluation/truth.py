"""How near one-picture guesses come to the true object, after the alignments that papers on single views allow."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, about_y
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject
from zero123pp.pipelines.inputs import find_meshes
from zero123pp.recon.meshing import geometry, load_normalised
from zero123pp.recon.metrics import grid_winding_numbers
from zero123pp.types import Mesh, Part, TexturedMesh

ALIGNED = ("none", "yaw", "shape", "icp")
_KEPT = ("CD", "F0.02", "F0.05", "IoU")
_MEAN_GRID = 48
_MEAN_OF = 300
"""Objects that the mean shape is taken of at most."""


def turned(parts: Sequence[Part], azimuth_deg: float) -> list[Part]:
    """The parts as a camera at this azimuth has them before it at azimuth 0."""
    turn = about_y(azimuth_deg)

    def moved(mesh: Mesh) -> Mesh:
        return mesh.with_vertices(mesh.vertices.astype(np.float64) @ turn)

    return [replace(part, mesh=moved(part.mesh)) if isinstance(part, TexturedMesh) else moved(part) for part in parts]


def truth_of(folder: str | Path, name: str, azimuth_deg: float) -> TrueObject:
    """The true object ``name``.glb of a folder, turned to the camera; BadInput when there is none.

    It fills the sphere of the world frame, as a guess of one picture does: nothing tells how large an object is.
    """
    parts = load_normalised(Path(folder) / f"{name}.glb", OBJECT_RADIUS)
    return TrueObject(turned(parts, azimuth_deg), PROTOCOLS["sphere"])


def distances(mesh: Mesh, truth: TrueObject, prefix: str = "") -> dict[str, float]:
    """Distance, F-scores and overlap of ``mesh`` under each alignment; the suffix names the alignment."""
    values = {}
    for align in ALIGNED:
        found = truth.measure_surface(mesh, align)
        values |= {f"{prefix}{name}" + ("" if align == "none" else f"_{align}"): found[name] for name in _KEPT}
    return values


def mean_shape(folder: str | Path) -> Mesh:
    """The shape that objects of a folder have on average: occupied where most are, of their mean volume.

    It knows nothing of the picture, so what a guess does better than this it has seen there.
    """
    from zero123pp.recon.field import Field
    from zero123pp.recon.meshing import extract

    files = sorted(find_meshes(folder), key=lambda file: zlib.crc32(file.name.encode()))[:_MEAN_OF]
    occupied = np.zeros(3 * [_MEAN_GRID])
    for file in files:
        occupied += np.abs(grid_winding_numbers(geometry(load_normalised(file)), _MEAN_GRID, OBJECT_RADIUS)) > 0.5
    share = occupied / len(files)
    level = np.quantile(share, 1 - share.mean())
    return extract(Field((level - share).astype(np.float32), np.full((*share.shape, 3), 0.7), OBJECT_RADIUS))
