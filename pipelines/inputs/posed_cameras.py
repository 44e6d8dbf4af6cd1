"""Geometry of posed pictures: long lenses for orthographic cameras, a first guess of the object, the way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero123pp.cameras import WORLD_UP
from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.transforms_json import Lens
from zero123pp.types import Camera

LONG_LENS_ERROR_PX = 0.02
"""How far a point of the object may be from where the orthographic camera sees it, px."""

_PARALLEL = 5e-3
"""Least mean squared sine of the angles between the viewing directions and any one direction; 4 degrees."""


@dataclass(frozen=True)
class Similarity:
    """x_world = scale rotation (x_source - centre), from the frame of the cameras' file to the project's."""

    scale: float
    rotation: np.ndarray
    """(3, 3)."""
    centre: np.ndarray
    """(3,) of the object, source frame."""

    @property
    def world_from_source(self) -> np.ndarray:
        """(4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.scale * self.rotation
        matrix[:3, 3] = -matrix[:3, :3] @ self.centre
        return matrix

    def report(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "scale": float(self.scale),
            "rotation": self.rotation.tolist(),
            "centre": self.centre.tolist(),
            "world_from_source": self.world_from_source.tolist(),
            "source_from_world": np.linalg.inv(self.world_from_source).tolist(),
        }


def spread(poses: Sequence[np.ndarray], count: int) -> list[int]:
    """Which ``count`` of the cameras look from directions that cover all of theirs most evenly; ascending indices.

    Farthest-point sampling from the first one on (Gonzalez 1985, "Clustering to minimize the maximum intercluster
    distance").
    """
    directions = np.stack([pose[:3, 2] for pose in poses])
    chosen = [0]
    nearest = np.full(len(poses), np.inf)
    while len(chosen) < min(count, len(poses)):
        nearest = np.minimum(nearest, np.linalg.norm(directions - directions[chosen[-1]], axis=1))
        nearest[chosen[-1]] = -1.0  # once each, also where two look from the same place
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


def turn_up(up: np.ndarray) -> np.ndarray:
    """The shortest rotation (3, 3) that takes the unit vector ``up`` to +Y; for down, half a turn about x.

    From z up it is the one of glTF exporters: what faced -y in Blender faces +Z.
    """
    up = np.asarray(up, float)
    cosine = float(up @ WORLD_UP)
    if cosine < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    x, y, z = np.cross(up, WORLD_UP)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)  # Rodrigues


def pinhole(pose: np.ndarray, lens: Lens, size: tuple[int, int], centre: np.ndarray, radius: float) -> Camera:
    """The camera of a picture; an orthographic one becomes a very long lens that sees a sphere the same way.

    With a camera at distance D in front of the sphere's centre and a focal length of D times the px per unit, a
    point at offset x across and z along the axis appears at x / (1 + z / D) instead of x. Over the sphere that is off
    by at most px_per_unit radius^2 / (2 D), to first order; D is chosen so that this is `LONG_LENS_ERROR_PX`.

    Args:
        pose: (4, 4) world_from_cam.
        lens: of the picture.
        size: width and height, px.
        centre: (3,) of the sphere.
        radius: of the sphere.
    """
    if not lens.orthographic:
        return Camera(pose, *lens.scale, *lens.principal, *size)
    x, y, _ = (centre - pose[:3, 3]) @ pose[:3, :3]
    distance = max(max(lens.scale) * radius**2 / (2 * LONG_LENS_ERROR_PX), 10 * radius)
    far = np.array(pose)
    far[:3, 3] = centre - distance * pose[:3, 2]  # on the axis through the centre, where the error is least
    focal = [distance * per_unit for per_unit in lens.scale]
    principal = [at + per_unit * offset for at, per_unit, offset in zip(lens.principal, lens.scale, (x, y))]
    return Camera(far, *focal, *principal, *size)


def first_guess(
    poses: Sequence[np.ndarray], lenses: Sequence[Lens], alphas: Sequence[np.ndarray]
) -> tuple[np.ndarray, float]:
    """A point (3,) in or near the object, and about its radius, in the units of the poses.

    The point is nearest, in the least-squares sense, to the rays through the middles of the silhouettes; the radius is
    the largest that a silhouette has there.

    Raises BadInput when all cameras look along one line, or have the object behind them.
    """
    origins, directions, reaches = zip(*map(_middle_ray, poses, lenses, alphas))
    across = np.eye(3) - np.einsum("vi,vj->vij", directions, directions)  # (V, 3, 3), projections off each ray
    if np.linalg.eigvalsh(across.mean(0))[0] < _PARALLEL:
        raise BadInput("all cameras look along one line; add views from other sides")
    centre = np.linalg.solve(across.sum(0), np.einsum("vij,vj->i", across, origins))
    depths = [float((centre - pose[:3, 3]) @ pose[:3, 2]) for pose in poses]
    behind = [i for i, (depth, lens) in enumerate(zip(depths, lenses)) if depth <= 0 and not lens.orthographic]
    if behind:
        raise BadInput(
            f"the object lies behind {len(behind)} of {len(poses)} cameras (first: frames[{behind[0]}]); expected "
            "transform_matrix camera to world with OpenGL axes: x right, y up, z backwards"
        )
    radii = [reach if lens.orthographic else reach * depth for reach, lens, depth in zip(reaches, lenses, depths)]
    return centre, max(radii)


def _middle_ray(pose: np.ndarray, lens: Lens, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Origin (3,) and unit direction (3,) of the ray through the middle of a silhouette, and the silhouette's reach.

    The reach is half the diagonal of the box round the silhouette, as a tangent (orthographic: a length).
    """
    rows, columns = np.nonzero(alpha >= 0.5)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    scale = np.array(lens.scale)
    x, y = ((low + high) / 2 - lens.principal) / scale
    reach = float(np.linalg.norm((high - low) / 2 / scale))
    right, down, forward = pose[:3, :3].T
    if lens.orthographic:
        return pose[:3, 3] + x * right + y * down, forward, reach
    direction = x * right + y * down + forward
    return pose[:3, 3], direction / np.linalg.norm(direction), reach
