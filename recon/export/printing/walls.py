"""How thick the walls of a solid are: the largest balls that touch its surface from inside and fit into it."""

from dataclasses import dataclass

import numpy as np

from zero123pp.recon.meshing import face_areas, face_normals
from zero123pp.types import Mesh

SPACING = 0.25
"""Distance of the samples on the surface, in the thickness that is looked for."""

OPPOSITE = -0.5
"""Cosine between the normals of two places that a ball touches up to which they are the two sides of a wall: in the
corner of a box they are at a right angle, and no wall is thin there."""

_MOST_SAMPLES = 2_000_000
_ROUNDS = 30
_SLACK = 0.99
"""Share of its radius down to which a ball counts as free: samples lie a little aside of where it touches."""


@dataclass(frozen=True)
class Walls:
    """What is thinner than asked for."""

    thickness: np.ndarray
    """(n,) of samples spread evenly over the surface; infinite where it is at least as thick as asked for."""
    centre: np.ndarray
    """(n, 3) in the middle of the wall."""

    @property
    def is_thin(self) -> np.ndarray:
        """(n,) bool."""
        return np.isfinite(self.thickness)

    @property
    def thinnest(self) -> float:
        """The least thickness, infinite where no wall is thin."""
        return float(self.thickness.min(initial=np.inf))


def measured(mesh: Mesh, least: float) -> Walls:
    """The walls of a closed mesh that are thinner than ``least`` (in units of the mesh).

    A ball that touches the surface at a sample shrinks until no other sample lies in it: Ma et al., "3D medial axis
    point approximation using nearest neighbors and the normal field", The Visual Computer 28, 2012. It starts with the
    diameter ``least``, so most are free at once. Thickness is the diameter of the last one that touches two opposite
    sides (`OPPOSITE`).
    """
    from scipy.spatial import cKDTree

    places, normals = _samples(mesh, SPACING * least)
    tree = cKDTree(places)
    radius, left = np.full(len(places), least / 2), np.arange(len(places))
    walls = Walls(np.full(len(places), np.inf), places - radius[:, None] * normals)
    for _ in range(_ROUNDS):
        distance, nearest = tree.query(places[left] - radius[left, None] * normals[left])
        apart = places[left] - places[nearest]
        along = (apart * normals[left]).sum(1)
        enters = (distance < _SLACK * radius[left]) & (along > 0)
        left, nearest, apart, along = left[enters], nearest[enters], apart[enters], along[enters]
        if not len(left):
            break
        radius[left] = (apart**2).sum(1) / (2 * along)
        cosine = (normals[left] * normals[nearest]).sum(1)
        is_wall = cosine < OPPOSITE
        wall, other = left[is_wall], normals[nearest][is_wall]
        # The other sample lies a little aside of where the ball touches: the plane through it is met there.
        fits = np.minimum(radius[wall], -(apart[is_wall] * other).sum(1) / (1 - cosine[is_wall]))
        walls.thickness[wall] = 2 * fits
        walls.centre[wall] = places[wall] - fits[:, None] * normals[wall]
    return walls


def _samples(mesh: Mesh, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) on the surface about so far apart, the same for the same mesh, and its unit normals there."""
    random = np.random.default_rng(0)
    areas = face_areas(mesh)
    count = int(min(areas.sum() / spacing**2, _MOST_SAMPLES)) + 1
    # One in each of `count` equal shares of the area: more even than independent draws.
    drawn = (np.arange(count) + random.random(count)) / count * areas.sum()
    face = np.minimum(np.searchsorted(np.cumsum(areas), drawn), len(areas) - 1)
    a, b = random.random((2, count))
    weights = np.stack([1 - np.sqrt(a), np.sqrt(a) * (1 - b), np.sqrt(a) * b], 1)
    places = (weights[..., None] * mesh.vertices.astype(np.float64)[mesh.faces[face]]).sum(1)
    return places, face_normals(mesh.vertices, mesh.faces)[face].astype(np.float64)
