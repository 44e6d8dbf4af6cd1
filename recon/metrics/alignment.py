"""Rigid-up-to-scale alignments of a reconstruction to the truth, for protocols that allow them.

Only positions of points are looked at. All lengths are in the units of the points.

open3d's ``registration_icp`` with scaling ends as near (docs/evaluation.md), but a column of the evaluation should not
depend on a package of 300 MB to save a sixth of a second.
"""

from dataclasses import dataclass, field

import numpy as np

from zero123pp.cameras import about_y
from zero123pp.recon.metrics.distances import SurfaceSamples
from zero123pp.types import ByContent, Mesh

_POINTS = 4000
"""Points of each surface that are looked at; more change a pose by less than it matters."""
_COARSE_DEG = 5.0
_COARSE_SCALE = 1.05
_FINE_DEG = 0.05
_ITERATIONS = 60
_SETTLED = 1e-6


@dataclass(frozen=True, eq=False)
class Alignment(ByContent):
    """x' = scale rotation x + shift."""

    scale: float = 1.0
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    """(3, 3)."""
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    """(3,)."""

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) moved."""
        return self.scale * points @ self.rotation.T + self.shift

    def mesh(self, mesh: Mesh) -> Mesh:
        """``mesh`` moved."""
        return mesh.with_vertices(self.points(mesh.vertices.astype(np.float64)))

    @property
    def angle_deg(self) -> float:
        """Angle of the rotation."""
        return float(np.rad2deg(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))


def align_none(estimate: SurfaceSamples, truth: SurfaceSamples) -> Alignment:
    """Nothing is moved."""
    return Alignment()


def align_yaw(estimate: SurfaceSamples, truth: SurfaceSamples) -> Alignment:
    """The turn about the vertical axis through the origin with the least chamfer distance.

    Every 5 degrees are tried, then halves of the step round the best one down to a twentieth of a degree.
    """
    cost = _CostOfTurn(estimate, truth)
    costs = {angle: cost(angle) for angle in np.arange(0.0, 360.0, _COARSE_DEG)}
    best, step = min(costs, key=costs.get), _COARSE_DEG / 2
    while step > _FINE_DEG:
        for angle in (best - step, best + step):
            costs.setdefault(angle, cost(angle))
        best, step = min((best - step, best, best + step), key=costs.get), step / 2
    return Alignment(rotation=about_y(best))


def align_shape(estimate: SurfaceSamples, truth: SurfaceSamples) -> Alignment:
    """The turn about the vertical axis and the scale, both from the origin, with the least chamfer distance.

    What one picture cannot tell: where its camera stood round the object, and how large the object is. From the best
    turn as it is, and from the best turn at equal mean radius, steps of both are halved down to a twentieth of a
    degree and a twentieth of a per cent; never worse than either start.
    """
    cost = _CostOfTurn(estimate, truth)
    equal = float(np.linalg.norm(truth.points, axis=1).mean() / np.linalg.norm(estimate.points, axis=1).mean())
    return min((_descended(cost, scale) for scale in (1.0, equal)), key=lambda found: found[0])[1]


def _descended(cost: "_CostOfTurn", scale: float) -> tuple[float, Alignment]:
    """The cost and the pose that halved steps lead to, from the best turn at this scale."""
    angle = min(np.arange(0.0, 360.0, _COARSE_DEG), key=lambda angle: cost(angle, scale))
    least, turn, stretch = cost(angle, scale), _COARSE_DEG / 2, _COARSE_SCALE
    while turn > _FINE_DEG:
        nearby = [(angle + turn, scale), (angle - turn, scale), (angle, scale * stretch), (angle, scale / stretch)]
        costs = [cost(*each) for each in nearby]
        if min(costs) < least:
            least, (angle, scale) = min(costs), nearby[int(np.argmin(costs))]
        else:
            turn, stretch = turn / 2, np.sqrt(stretch)
    return least, Alignment(scale, about_y(angle))


class _CostOfTurn:
    """Chamfer distance of two samples after a turn (degrees) and a scale; each is worked out once."""

    def __init__(self, estimate: SurfaceSamples, truth: SurfaceSamples) -> None:
        from scipy.spatial import cKDTree

        self._ours, self._theirs = estimate.points[:_POINTS], truth.points[:_POINTS]
        self._our_tree, self._their_tree = cKDTree(self._ours), cKDTree(self._theirs)
        self._known: dict[tuple[float, float], float] = {}

    def __call__(self, angle_deg: float, scale: float = 1.0) -> float:
        key = (float(angle_deg), float(scale))
        if key not in self._known:
            turn = about_y(angle_deg)
            there = self._their_tree.query(scale * self._ours @ turn.T)[0].mean()
            self._known[key] = there + scale * self._our_tree.query(self._theirs @ turn / scale)[0].mean()
        return self._known[key]


def align_icp(estimate: SurfaceSamples, truth: SurfaceSamples) -> Alignment:
    """Iterative closest points in position, rotation and scale, from the best turn about the vertical axis.

    Besl and McKay 1992, with pairs of both directions (so that a part cannot shrink onto a piece of the whole) and
    Umeyama's closed form for the similarity (1991, eq. 40-42). The best iterate by chamfer distance is returned, so
    the result is never worse than the start.
    """
    from scipy.spatial import cKDTree

    ours, theirs = estimate.points[:_POINTS], truth.points[:_POINTS]
    their_tree = cKDTree(theirs)
    current = best = align_yaw(estimate, truth)
    least, before = np.inf, np.inf
    for _ in range(_ITERATIONS):
        moved = current.points(ours)
        to_theirs, their_index = their_tree.query(moved)
        to_ours, our_index = cKDTree(moved).query(theirs)
        cost = to_theirs.mean() + to_ours.mean()
        if cost < least:
            least, best = cost, current
        if abs(before - cost) < _SETTLED * cost:
            break
        before = cost
        current = similarity(np.concatenate([ours, ours[our_index]]), np.concatenate([theirs[their_index], theirs]))
    return best


ALIGNMENTS = {"none": align_none, "yaw": align_yaw, "shape": align_shape, "icp": align_icp}
"""Name: function of the samples of the estimate and of the truth."""


def similarity(source: np.ndarray, target: np.ndarray) -> Alignment:
    """The similarity that takes source (N, 3) to target (N, 3) with the least squared error (Umeyama 1991)."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred, wanted = source - source_mean, target - target_mean
    left, sizes, right = np.linalg.svd(wanted.T @ centred / len(source))
    sign = np.array([1, 1, np.sign(np.linalg.det(left) * np.linalg.det(right))])  # no mirror images
    rotation = left @ np.diag(sign) @ right
    scale = float((sizes * sign).sum() / max((centred**2).sum() / len(source), 1e-300))
    return Alignment(scale, rotation, target_mean - scale * rotation @ source_mean)
