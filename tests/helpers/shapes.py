"""Shapes with known area, depth, normals and colours, for the tests of this folder."""

import numpy as np

from zero123pp.types import Mesh


def icosphere(subdivisions: int = 4, radius: float = 0.4) -> Mesh:
    """A closed sphere of 20 * 4^subdivisions faces."""
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(sphere.vertices, sphere.faces.astype(np.int32))


def box(size: float = 0.6, splits: int = 12) -> Mesh:
    """A closed cube round the origin, each side a grid of splits x splits squares."""
    from trimesh.creation import box as trimesh_box
    from trimesh.remesh import subdivide

    cube = trimesh_box((size, size, size))
    vertices, faces = cube.vertices, cube.faces
    for _ in range(int(np.log2(splits))):
        vertices, faces = subdivide(vertices, faces)
    return Mesh(vertices, faces.astype(np.int32))


def marching(field: np.ndarray, half_extent: float = 0.5) -> Mesh:
    """The surface field = 0 of a cubic grid, inside where negative, outward winding."""
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, 0.0)
    vertices = vertices / (len(field) - 1) * 2 * half_extent - half_extent
    return Mesh(vertices, np.ascontiguousarray(faces, np.int32))


def noisy_ball(resolution: int = 48, seed: int = 0) -> np.ndarray:
    """A ball riddled with tunnels, bubbles and floaters."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((resolution,) * 3), 1.5)
    axis = np.linspace(-1, 1, resolution)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    return np.maximum(radius - 0.8, 0.2 * noise / noise.std() - 0.05)


def painted(points: np.ndarray) -> np.ndarray:
    """A smooth colour (..., 3) in [0, 1] for every place, with features of about 0.1."""
    phase = np.array([0.0, 2.0, 4.0])
    return 0.5 + 0.4 * np.sin(14 * np.asarray(points)[..., [0, 1, 2]] + 9 * np.asarray(points)[..., [1, 2, 0]] + phase)
