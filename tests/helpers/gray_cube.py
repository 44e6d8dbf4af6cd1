"""A cube whose faces are of one gray each: its pictures, and its distances, swollen or not."""

import numpy as np

from zero123pp.recon.fitting import FitConfig
from zero123pp.recon.fitting.flats import SmoothNormals
from zero123pp.recon.fitting.targets import contrast, level_targets
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh

HALF, N, SIDE = 0.5, 48, 0.27
"""Half the side of the grid and of the cube, and the nodes along an axis of the grid."""
GRAYS = (60, 110, 150, 190, 90, 225)


def cube_views(grays=GRAYS, size=120):
    """A cube, each face of one gray."""
    import trimesh

    box = trimesh.creation.box((2 * SIDE,) * 3)
    corners = box.vertices[box.faces].reshape(-1, 3)
    side = (np.abs(box.face_normals).argmax(1) * 2 + (box.face_normals.sum(1) > 0)).repeat(3)
    mesh = Mesh(corners, np.arange(len(corners)).reshape(-1, 3), np.array(grays, np.uint8)[side, None].repeat(3, 1))
    return [render([mesh], camera) for camera in get_rig("v1.2").cameras(size)]


def cube_distance(bulge=0.0):
    """(N, N, N) distances of the cube in voxels; faces swell by ``bulge`` voxels in their middle, not at the rim."""
    axis = np.linspace(-HALF, HALF, N)
    x = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    per_voxel = (N - 1) / (2 * HALF)
    shape = np.cos(np.clip(x / SIDE, -1, 1) * np.pi / 2) ** 2
    swollen = np.stack([shape[..., (a + 1) % 3] * shape[..., (a + 2) % 3] for a in range(3)], -1)
    beyond = (np.abs(x) - SIDE) * per_voxel - bulge * swollen
    return np.minimum(beyond.max(-1), 0) + np.linalg.norm(np.maximum(beyond, 0), axis=-1)


def cube_targets(views):
    """What a level of a fit to the views is fitted to, within a swollen cube."""
    return level_targets(views, cube_distance(3.0), HALF, FitConfig())


def watched(targets, pool):
    """What asks a surface of that level what the views see of it."""
    return SmoothNormals(
        targets.views, targets.rays, targets.pixels, HALF, N, contrast(targets.views), cube_distance(3.0), pool
    )
