"""What cameras see of a surface, and what a reconstruction can be worth that knows no more than that."""

from collections.abc import Sequence

import numpy as np

from zero123pp.cameras import project, resized, unproject
from zero123pp.recon.metrics.distances import SurfaceDistances, SurfaceSamples
from zero123pp.types import Camera, Mesh

_PICTURE_PX = 640
"""Longer side of the depth pictures in which points are looked up; a pixel is 0.003 of the rig's sphere."""
_TOLERANCE = 5e-4
"""World units; walls thinner than this count as seen from both sides."""
_EDGE_ON_PX = 4
"""A tangent plane may be so far before or behind its point at the centre of the point's pixel, px of depth."""


def seen_points(mesh: Mesh, samples: SurfaceSamples, cameras: Sequence[Camera]) -> np.ndarray:
    """Which samples (N) of a mesh at least one camera sees: (N,) bool.

    A sample is seen where nothing stands before its tangent plane at the nearest pixel of a depth picture. Both sides
    of a sheet that is not closed count; within half a pixel of an outline both sides of it count as seen.

    Args:
        mesh: in the frame of the cameras.
        samples: of the mesh.
        cameras: any.
    """
    from zero123pp.recon.ops.raster import rasterize

    seen = np.zeros(len(samples.points), bool)
    for camera in cameras:
        factor = _PICTURE_PX / max(camera.width, camera.height)
        fine = resized(camera, round(camera.width * factor), round(camera.height * factor))
        depth = rasterize(mesh.vertices, mesh.faces, fine).depth
        px, at = project(fine, samples.points)
        inside = np.flatnonzero((at > 0) & (px >= 0).all(1) & (px[:, 0] < fine.width) & (px[:, 1] < fine.height))
        column, row = px[inside].astype(int).T
        # The tangent plane at the centre of the pixel; where it is seen edge-on, no farther than a few pixels off.
        ray = unproject(fine, np.stack([column, row], -1) + 0.5, np.ones(len(inside))) - fine.world_from_cam[:3, 3]
        normal = samples.normals[inside]
        along = np.einsum("nc,nc->n", normal, ray)
        plane = np.einsum("nc,nc->n", normal, samples.points[inside] - fine.world_from_cam[:3, 3])
        plane /= np.where(np.abs(along) < 1e-6, 1e-6, along)
        reach = _EDGE_ON_PX * at[inside] / fine.fx
        plane = np.clip(plane, at[inside] - reach, at[inside] + reach)
        before = depth[row, column]
        seen[inside] |= (before == 0) | (before >= plane - _TOLERANCE)
    return seen


def bound(points: np.ndarray, seen: np.ndarray, threshold: float) -> float:
    """F-score of a reconstruction that is exactly the seen surface: precision 1, and all near seen points recalled.

    Args:
        points: (N, 3) uniform on the true surface.
        seen: (N,) bool, see `seen_points`.
        threshold: of the F-score, in the units of the points.
    """
    from scipy.spatial import cKDTree

    if not seen.any():
        return 0.0
    recall = float(np.mean(cKDTree(points[seen]).query(points)[0] < threshold))
    return 2 * recall / (1 + recall)


def by_visibility(distances: SurfaceDistances, seen: np.ndarray) -> dict[str, float]:
    """Mean accuracy and completeness on the seen and on the hidden part of the truth; not a number where there is none.

    A point of the estimate belongs to the part of its nearest true point. ``seen`` (M,) is that of the true points.
    """
    near_seen = seen[distances.nearest_true]

    def mean(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) else float("nan")

    return {
        "accuracy_seen": mean(distances.accuracy[near_seen]),
        "accuracy_hidden": mean(distances.accuracy[~near_seen]),
        "completeness_seen": mean(distances.completeness[seen]),
        "completeness_hidden": mean(distances.completeness[~seen]),
    }
