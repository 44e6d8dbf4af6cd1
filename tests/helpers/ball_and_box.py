"""A ball and a box of known shape as files."""

import numpy as np


def painted(mesh: object) -> object:
    """A smooth pattern over positions, so that pictures have something to match."""
    mesh.visual.vertex_colors = np.round(127 + 110 * np.sin(18 * mesh.vertices / mesh.scale)).astype(np.uint8)
    return mesh


def write_ball_and_box(folder):
    """A folder with a ball and a box of known shape, away from the origin and of other sizes."""
    import trimesh

    box = trimesh.creation.box((3, 2, 1.6))
    for _ in range(5):
        box = box.subdivide()
    painted(trimesh.creation.icosphere(5, 0.2)).apply_translation([5, 0, 1]).export(folder / "ball.glb")
    painted(box).apply_translation([0, -9, 0]).export(folder / "box.glb")
    (folder / "notes.txt").write_text("not a mesh")
    return folder
