"""One pass over an object for the shape prior: views of it, and points with their distances to it.

Its file is an ``.npz`` with ``pixels`` (18, S, S, 7) uint8, ``world_from_cam`` (18, 4, 4), ``intrinsics``
(18, 4) as fx, fy, cx, cy, ``elevations_deg`` (18,), ``points`` (P, 3) and ``sdf`` (P,) float16, ``surface`` (Q, 3)
float16, ``surface_normals`` (Q, 3) float16 and ``surface_rgb`` (Q, 3) uint8; world frame, see `views` and `distances`.
"""

from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.files import make_folder, whole_file
from zero123pp.pipelines.training_data.shapes.distances import near_and_far_points, sample_colored, signed_distances
from zero123pp.pipelines.training_data.shapes.views import render_tiles
from zero123pp.recon.meshing import load_normalised

_OTHER_RIG_EVERY = 4
"""Every how many passes the rig is v1.1 instead of v1.2."""


def render_pass(mesh: Path, key: int, size_px: int, point_count: int, surface_count: int) -> dict[str, np.ndarray]:
    """The arrays of one pass; ``key`` fixes its draws. Raises BadInput when the mesh cannot be read."""
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


def write_pass(target: Path, arrays: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    make_folder(target.parent)
    with whole_file(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
