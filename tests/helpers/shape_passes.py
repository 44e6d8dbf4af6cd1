"""Balls and blocks, and the arrays of a pass over both."""

import numpy as np

from zero123pp.pipelines.training_data.shapes.views import render_tiles
from zero123pp.types import Mesh


def ball(radius: float = 0.3) -> Mesh:
    import trimesh

    shape = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(shape.vertices, shape.faces)


def block(size: tuple[float, float, float], at: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    import trimesh

    shape = trimesh.creation.box(size)
    return Mesh(shape.vertices + np.array(at), shape.faces)


def shape_pass():
    """The arrays of a pass over a leaning bar beside a ball, as `run.py render shapes` stores them."""
    parts = [ball(0.15), block((0.1, 0.6, 0.1), (0.2, 0.05, 0.1))]
    rng = np.random.default_rng(3)
    tiles = render_tiles(parts, "v1.2", 64, rng)
    points = rng.uniform(-0.45, 0.45, (6000, 3)).astype(np.float32)
    off = np.abs(points - (0.2, 0.05, 0.1)) - (0.05, 0.3, 0.05)
    bar = np.linalg.norm(np.maximum(off, 0), axis=1) + np.minimum(off.max(1), 0)
    on_ball = rng.normal(size=(800, 3))
    on_ball /= np.linalg.norm(on_ball, axis=1, keepdims=True)
    return {
        "pixels": tiles.pixels,
        "world_from_cam": np.stack([c.world_from_cam for c in tiles.cameras]).astype(np.float32),
        "intrinsics": np.array([(c.fx, c.fy, c.cx, c.cy) for c in tiles.cameras], np.float32),
        "elevations_deg": tiles.elevations_deg,
        "points": points,
        "sdf": np.minimum(np.linalg.norm(points, axis=1) - 0.15, bar).astype(np.float32),
        "surface": np.concatenate([0.15 * on_ball, parts[1].vertices]).astype(np.float32),
        "surface_normals": np.concatenate([on_ball, np.ones((8, 3)) / 3**0.5]).astype(np.float32),
        "surface_rgb": np.full((808, 3), 179, np.uint8),
    }
