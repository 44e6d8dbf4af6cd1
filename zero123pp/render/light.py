"""The light that reaches points of a scene: from the environment, in shadow of other surfaces, and from them once more.

A path tracer of two segments behind the eye (what others call depth 3), on Embree's rays. Surfaces are matt, with a
dielectric coat if asked for; what other surfaces send is their matt part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.render.environment import Environment
from zero123pp.render.ray_tables import PATTERN, RayTables, ray_tables

LIFT = 2e-4
"""World units by which rays start above their surface, so that they do not meet it again."""

_BOUNCE_ROWS = 251
"""Rows of directions for the second segment; prime, so that they do not fall in step with the first's."""

Albedo = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Called with faces (n,) and barycentric weights (n, 3): linear reflectance (n, 3) float32 there."""


@dataclass(frozen=True)
class Points:
    """Where light is asked for."""

    position: np.ndarray
    """(N, 3) float32, on the surface."""
    normal: np.ndarray
    """(N, 3) float32 unit shading normals, on the viewer's side."""
    geometric: np.ndarray
    """(N, 3) float32 unit normals of the faces, on the viewer's side."""
    view: np.ndarray
    """(N, 3) float32 unit directions to the viewer."""


class Scene:
    """Triangles that stand in each other's light."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, albedo: Albedo) -> None:
        """Hands the triangles to Embree.

        Args:
            vertices: (V, 3), world frame.
            faces: (F, 3).
            albedo: of any point on them.

        Raises:
            MissingBackend: Embree is not installed.
        """
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise MissingBackend(f"rendering needs Embree ({error}); try: pip install embreex") from error
        self._rays: Any = EmbreeScene(robust=True)
        vertices = np.ascontiguousarray(vertices, np.float32)
        TriangleMesh(self._rays, vertices, np.ascontiguousarray(faces, np.int32))
        corners = vertices.astype(np.float64)[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        self._normals = (normals / np.maximum(length, 1e-30)).astype(np.float32)
        self._albedo = albedo

    def light_at(
        self, points: Points, phase: np.ndarray, environment: Environment, *, samples: int = 8, roughness: float = 0.0,
        seed: int = 0,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Light (N, 3) float32 for matt reflection, and of gloss.

        The radiance that a viewer sees is ``albedo * matt + gloss``.

        Args:
            points: on the surface.
            phase: (N,) int32 in 0 .. PATTERN^2 - 1; points of equal phase look in equal directions
                (`zero123pp.render.ray_tables.pixel_phases`).
            environment: the light.
            samples: rays a point, at least 2.
            roughness: of a dielectric coat, above 0 up to 1; 0 for none.
            seed: fixes the rays.
        """
        from zero123pp.render.light_kernels import gathered

        tables = ray_tables(environment, PATTERN**2, samples, seed)
        origins, directions, owners, texels, matt, gloss = _proposed(points, phase, tables, environment, roughness)
        source = np.full(len(owners), -1, np.int32)
        bounced = np.zeros((1, 3), np.float32)
        if len(owners):
            hits = self._rays.run(origins, directions, output=True)
            blocked = np.flatnonzero(hits["primID"] >= 0)
            source[blocked] = np.arange(len(blocked), dtype=np.int32)
            face = hits["primID"][blocked]
            u, v, far = (hits[name][blocked] for name in ("u", "v", "tfar"))
            rays = directions[blocked]
            bounced = self._sent(face, u, v, origins[blocked] + far[:, None] * rays, rays, environment, seed)
        radiance = environment.radiance.reshape(-1, 3)
        return gathered(len(phase), owners, texels, matt, gloss, source, radiance, bounced)

    def _sent(
        self, face: np.ndarray, u: np.ndarray, v: np.ndarray, position: np.ndarray, arriving: np.ndarray,
        environment: Environment, seed: int,
    ) -> np.ndarray:  # fmt: skip
        """Matt radiance (n, 3) float32 that points on faces send back along rays: two further rays each."""
        from zero123pp.render.light_kernels import gathered

        normal = self._normals[face]
        away = np.einsum("nc,nc->n", normal, arriving) > 0
        normal[away] = -normal[away]
        points = Points(position, normal, normal, -arriving)
        tables = ray_tables(environment, _BOUNCE_ROWS, 2, seed + 1)
        phase = (np.arange(len(face)) % _BOUNCE_ROWS).astype(np.int32)
        origins, directions, owners, texels, matt, gloss = _proposed(points, phase, tables, environment, 0.0)
        if not len(owners):
            return np.zeros((max(1, len(face)), 3), np.float32)
        # What is hit here would be a third segment: it sends nothing.
        source = np.where(self._rays.run(origins, directions, query="OCCLUDED") < 0, -1, 0).astype(np.int32)
        nothing, radiance = np.zeros((1, 3), np.float32), environment.radiance.reshape(-1, 3)
        light, _ = gathered(len(face), owners, texels, matt, gloss, source, radiance, nothing)
        return self._albedo(face, np.stack([1 - u - v, u, v], -1)) * light


def _proposed(
    points: Points, phase: np.ndarray, tables: RayTables, environment: Environment, roughness: float
) -> tuple[np.ndarray, ...]:
    """See `light_kernels.propose`."""
    from zero123pp.render.light_kernels import propose

    arrays = (points.position, points.normal, points.geometric, points.view)
    return propose(
        *(np.ascontiguousarray(array, np.float32) for array in arrays),
        phase, tables.sky, tables.sky_texels, tables.lobes, environment.density, float(roughness), LIFT,
    )  # fmt: skip


def smoothed_light(light: np.ndarray, covered: np.ndarray, points: Points, thickness: float) -> np.ndarray:
    """Light (N, C) of the covered samples of a picture (H, W), averaged along their surfaces.

    See `light_kernels.smoothed`; ``thickness`` in world units.
    """
    from zero123pp.render.light_kernels import smoothed

    number = np.full(covered.shape, -1, np.int32)
    number[covered] = np.arange(len(light), dtype=np.int32)
    return smoothed(np.ascontiguousarray(light, np.float32), number, points.position, points.normal, thickness)
