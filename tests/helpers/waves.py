"""A ball with waves, and its views from a rig, for the tests of refinement."""

from dataclasses import replace

import numpy as np
from shapes import icosphere, painted

from zero123pp.images import to_uint8
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS
from zero123pp.types import Mesh


def dented(subdivisions=4, depth=0.03):
    """A painted ball with waves of the given depth."""
    ball = icosphere(subdivisions)
    direction = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    radius = 0.38 + depth * np.sin(9 * direction[:, 0]) * np.sin(9 * direction[:, 1])
    return Mesh(direction * radius[:, None], ball.faces, to_uint8(painted(direction)))


def rig_views(mesh, size=160, normals=True):
    views = [render(mesh, camera) for camera in RIGS["v1.2"].cameras(size)]
    return [replace(view, depth=None, normal=view.normal if normals else None) for view in views]
