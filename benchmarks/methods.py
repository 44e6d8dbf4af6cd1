"""Ways to a mesh from the same views, under one signature: (views, parts) -> mesh and processor seconds."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from zero123pp.cameras import pixel_centres, unproject, view_from_world
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.recon.field import Field
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.fitting.frame import shown_radius
from zero123pp.recon.fitting.hull import Silhouettes
from zero123pp.recon.meshing.clean import CleanConfig, clean
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.types import Mesh, MultiView, Part

HULL_NODES = 96
"""Along an axis of the plain hull's grid: finer than the fit's, so that the hull is not held back by its grid."""
POISSON_DEPTH = 7
"""Of the octree: 128 cells along an axis, about twice the fit's nodes."""

Method = Callable[[MultiView, Sequence[Part]], Mesh]


def timed(method: Method, views: MultiView, parts: Sequence[Part]) -> tuple[Mesh, float]:
    """The mesh and the processor seconds, over all threads of this process, from views to cleaned mesh."""
    start = time.process_time()
    mesh = method(views, parts)
    return mesh, time.process_time() - start


def ours(config: FitConfig = FitConfig(), faces: int = CleanConfig().faces) -> Method:
    """The project's fit."""
    return lambda views, parts: clean(extract(fit(views, config)), CleanConfig(faces=faces))[0]


def visual_hull(views: MultiView, parts: Sequence[Part]) -> Mesh:
    """The common volume of the silhouettes."""
    return clean(_hull(views))[0]


def poisson_from_hull(views: MultiView, parts: Sequence[Part]) -> Mesh:
    """Screened Poisson surface of the points and normals of the hull: what silhouettes and cameras alone give."""
    mesh = _hull(views)
    return clean(screened_poisson(mesh.vertices.astype(np.float64), smooth_normals(mesh).astype(np.float64)))[0]


def poisson_from_true_depths(views: MultiView, parts: Sequence[Part]) -> Mesh:
    """Screened Poisson surface of the true depths and normals of the same six views: an oracle, not a competitor.

    Nobody has these from six pictures; it bounds what any method of depth maps and Poisson could reach.
    """
    points, normals = [], []
    for view in views.views:
        seen = true_view(parts, view.camera)
        covered = (seen.depth > 0) & (np.linalg.norm(seen.normal, axis=-1) > 0.5)
        points.append(unproject(view.camera, pixel_centres(view.camera)[covered], seen.depth[covered]))
        normals.append(seen.normal[covered] @ view_from_world(view.camera))
    return clean(screened_poisson(np.concatenate(points), np.concatenate(normals).astype(np.float64)))[0]


def screened_poisson(points: np.ndarray, normals: np.ndarray) -> Mesh:
    """Kazhdan and Hoppe 2013, as in MeshLab: points (N, 3), unit normals (N, 3) outward."""
    import pymeshlab

    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(points, v_normals_matrix=normals))
    meshes.generate_surface_reconstruction_screened_poisson(depth=POISSON_DEPTH, threads=1)
    made = meshes.current_mesh()
    return Mesh(made.vertex_matrix(), made.face_matrix().astype(np.int32))


def _hull(views: MultiView) -> Mesh:
    radius = shown_radius(views.views)
    sdf = Silhouettes(views.views).grid(HULL_NODES, radius, radius=radius)
    return extract(Field(sdf, np.full((*sdf.shape, 3), 0.7, np.float32), radius))
