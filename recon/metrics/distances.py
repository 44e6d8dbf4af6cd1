"""How far a reconstruction is from the truth: surface distances and volume overlap.

Pure functions on meshes. No alignment and no scaling happens here, so distances come out in the units
of the meshes that are given; the evaluation doubles the world frame first, so that the object's sphere has radius 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import pixel_centres, unproject
from zero123pp.errors import BadInput
from zero123pp.recon.metrics.winding import grid_winding_numbers
from zero123pp.types import ByContent, Camera, Mesh


@dataclass(frozen=True, eq=False)
class SurfaceSamples(ByContent):
    """Points drawn uniformly from the surface of a mesh."""

    points: np.ndarray
    """(N, 3) float64, in the units of the mesh."""
    normals: np.ndarray
    """(N, 3) float64, unit normals of the faces the points were drawn from."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances(ByContent):
    """Nearest-neighbour distances between the samples of an estimate and those of the truth."""

    accuracy: np.ndarray
    """(N,) from each point of the estimate to the nearest point of the truth."""
    completeness: np.ndarray
    """(M,) from each point of the truth to the nearest point of the estimate."""
    accuracy_cosine: np.ndarray
    """(N,) absolute cosine between the estimate's normal and the normal at that nearest true point."""
    completeness_cosine: np.ndarray
    """(M,) likewise from the truth to the estimate."""
    nearest_true: np.ndarray
    """(N,) index of that nearest true point."""


def sample_surface(mesh: Mesh, count: int, seed: int = 0) -> SurfaceSamples:
    """``count`` points, each face drawn with probability proportional to its area.

    Inside a face the square-root map keeps the density even (Osada et al. 2002, "Shape distributions", eq. 1).

    Raises:
        BadInput: The surface has no area, or a vertex is not finite.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.faces]  # (F, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])  # (F, 3)
    doubled_areas = np.linalg.norm(crosses, axis=1)
    cumulative = np.cumsum(doubled_areas)
    if not len(cumulative) or not np.isfinite(cumulative[-1]) or cumulative[-1] <= 0:
        raise BadInput(f"cannot sample a mesh of {len(mesh.faces)} faces whose area is not a positive number")
    rng = np.random.default_rng(seed)
    picks = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    picks = np.minimum(picks, np.flatnonzero(doubled_areas)[-1])  # rounding may step past the last face with area
    root, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - second), root * second], axis=1)  # (N, 3)
    points = np.einsum("nk,nkd->nd", weights, corners[picks])
    return SurfaceSamples(points, crosses[picks] / doubled_areas[picks, None])


def seen_surface(mesh: Mesh, cameras: Sequence[Camera], voxel: float) -> SurfaceSamples:
    """Points of what cameras see of a mesh: one per pixel, averaged in voxels.

    Args:
        mesh: in the frame of the cameras.
        cameras: whose depth pictures are taken.
        voxel: side of the voxels, from half a voxel below the least coordinates, in the units of the mesh.

    Raises:
        BadInput: no camera sees the mesh.
    """
    from zero123pp.recon.meshing import face_normals
    from zero123pp.recon.ops.raster import rasterize

    of_faces = face_normals(mesh.vertices, mesh.faces)
    points, normals = [], []
    for camera in cameras:
        seen = rasterize(mesh.vertices, mesh.faces, camera)
        points.append(unproject(camera, pixel_centres(camera)[seen.covered], seen.depth[seen.covered]))
        normals.append(of_faces[seen.face[seen.covered]])
    points, normals = np.concatenate(points), np.concatenate(normals)
    if not len(points):
        raise BadInput(f"none of {len(cameras)} cameras sees the mesh; is it in their frame?")
    cells = np.floor((points - points.min(0)) / voxel + 0.5).astype(np.int64)
    _, index, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)

    def means(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(index, values[:, axis]) for axis in range(3)], axis=1) / counts[:, None]

    mean_normals = means(normals)
    length = np.linalg.norm(mean_normals, axis=1, keepdims=True)
    return SurfaceSamples(means(points), mean_normals / np.maximum(length, 1e-9))


def surface_distances(estimate: SurfaceSamples, truth: SurfaceSamples) -> SurfaceDistances:
    """Distances and normal agreement of both directions, through exact nearest neighbours (k-d tree)."""
    from scipy.spatial import cKDTree

    accuracy, to_truth = cKDTree(truth.points).query(estimate.points)
    completeness, to_estimate = cKDTree(estimate.points).query(truth.points)
    accuracy_cosine = np.abs(np.sum(estimate.normals * truth.normals[to_truth], axis=1))
    completeness_cosine = np.abs(np.sum(truth.normals * estimate.normals[to_estimate], axis=1))
    return SurfaceDistances(accuracy, completeness, accuracy_cosine, completeness_cosine, to_truth)


def chamfer(distances: SurfaceDistances) -> float:
    """(mean accuracy + mean completeness) / 2, distances not squared."""
    return float((distances.accuracy.mean() + distances.completeness.mean()) / 2)


def f_score(distances: SurfaceDistances, threshold: float) -> float:
    """Harmonic mean of precision and recall at a distance (Knapitsch et al. 2017, "Tanks and Temples", eq. 5)."""
    precision = float(np.mean(distances.accuracy < threshold))
    recall = float(np.mean(distances.completeness < threshold))
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def normal_consistency(distances: SurfaceDistances, *, symmetric: bool = False) -> float:
    """Mean absolute cosine between the estimate's normals and those of the nearest true points.

    Args:
        distances: Of the samples of both surfaces.
        symmetric: Average with the other direction, from the truth to the estimate (Mescheder et al. 2019,
            "Occupancy networks", supplementary 1.1).
    """
    forward = float(distances.accuracy_cosine.mean())
    return (forward + float(distances.completeness_cosine.mean())) / 2 if symmetric else forward


def occupancy(mesh: Mesh, resolution: int = 64, half_side: float = 1.0) -> np.ndarray:
    """(R, R, R) bool, the cell centres of a grid over the cube [-half_side, half_side]^3 that are inside, x y z order.

    Inside is where the absolute generalised winding number is at least one half, which gives the usual answer for
    closed meshes, counts overlapping closed parts once, and stays sensible where a mesh has holes. Neither vertices
    nor orientation have to be consistent between parts; a shell turned inside out counts as filled.

    Raises:
        BadInput: vertices that are not finite.
        MissingBackend: libigl is not installed.
    """
    return np.abs(grid_winding_numbers(mesh, resolution, half_side)) >= 0.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two occupancies, in [0, 1]; not a number when both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else float("nan")


def volume_iou(estimate: Mesh, truth: Mesh, resolution: int = 64, half_side: float = 1.0) -> float:
    """`overlap` of the `occupancy` of two meshes."""
    return overlap(occupancy(estimate, resolution, half_side), occupancy(truth, resolution, half_side))
