"""Other objects made of known ones: turned, stretched, bent, and printed on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zero123pp.cameras import about_y
from zero123pp.recon.meshing import normalise
from zero123pp.recon.render import UNPAINTED, look_up
from zero123pp.types import Mesh, Part, TexturedMesh

_STRETCH = 0.25
"""Standard deviation of the logarithm of the stretch along an axis."""
_LAID_DOWN, _BENT, _PRINTED = 0.3, 0.5, 0.75
"""Shares of objects that lie on a side, that are bent, and that are printed on."""
_BEND = 0.06
"""Amplitude of a wave, as a part of the object's radius; there are three of them, of up to one period within it."""
_COLOR_PRINTED, _PICTURE_PRINTED = 0.7, 0.25
"""Shares of what has a plain colour, and of what has a picture on it, that are printed over."""
_PLAIN = 0.01
"""Mean difference of the colours of a face's corners (sRGB), up to which faces have plain colours."""
_PER_AXIS = (0.4, 2.0)
"""Prints along the object's radius, at least and at most."""


def varied(parts: Sequence[Part], prints: Sequence[np.ndarray], rng: np.random.Generator) -> list[Part]:
    """Another object with the make of a known one.

    Args:
        parts: in the object's sphere.
        prints: pictures (H, W, 3) uint8 sRGB, tiled over surfaces along the axis that they face most.
        rng: draws what is done.

    Returns:
        Its parts, in the object's sphere again, without vertex normals and normal maps.
    """
    moves = _Moves(rng)
    if rng.random() < _PRINTED and prints:
        parts = [piece for part in parts for piece in _printed(part, prints, rng)]
    return normalise([_moved(part, moves) for part in parts])


class _Moves:
    """One smooth map of space: a turn, a stretch and a few waves."""

    def __init__(self, rng: np.random.Generator) -> None:
        axes = np.roll(np.eye(3), rng.integers(1, 3), axis=0) if rng.random() < _LAID_DOWN else np.eye(3)
        self._matrix = about_y(rng.uniform(0, 360)) @ np.diag(np.exp(rng.normal(0, _STRETCH, 3))) @ axes
        count = 3 if rng.random() < _BENT else 0
        self._waves = rng.uniform(-np.pi, np.pi, (count, 3))  # radians over the radius of the sphere
        self._ways, self._phases = rng.normal(0, _BEND, (count, 3)), rng.uniform(0, 2 * np.pi, count)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Moved (N, 3)."""
        points = points.astype(np.float64)
        return (points + np.sin(points @ self._waves.T + self._phases) @ self._ways) @ self._matrix.T


def _moved(part: Part, moves: _Moves) -> Part:
    if isinstance(part, TexturedMesh):
        mesh = part.mesh.with_vertices(moves(part.mesh.vertices))
        return replace(part, mesh=mesh, normals=None, normal_map=None, tangents=None)
    return part.with_vertices(moves(part.vertices))


def _printed(part: Part, prints: Sequence[np.ndarray], rng: np.random.Generator) -> list[Part]:
    """The part in pieces, a piece for each of its plain colours; some are printed on."""
    mesh = part.mesh if isinstance(part, TexturedMesh) else part
    colors = _corner_colors(part)
    if np.abs(colors - colors.mean(axis=1, keepdims=True)).mean() > _PLAIN:
        share, number = _PICTURE_PRINTED, np.zeros(len(mesh.faces), int)
    else:
        levels = (colors.mean(axis=1) * 5.99).astype(int) @ (36, 6, 1)
        share, number = _COLOR_PRINTED, np.unique(levels, return_inverse=True)[1] % 8
    pieces = []
    for piece in (_part_of(part, mesh.faces[number == one]) for one in np.unique(number)):
        picture = prints[rng.integers(len(prints))]
        pieces.append(_with_print(piece, picture, rng) if rng.random() < share else piece)
    return pieces


def _corner_colors(part: Part) -> np.ndarray:
    """(F, 3, 3) sRGB at the corners of the faces."""
    if isinstance(part, TexturedMesh):
        return look_up(part.base_color, part.uvs)[part.mesh.faces]
    if part.colors is None:
        return np.full((len(part.faces), 3, 3), UNPAINTED)
    return part.colors[part.faces] / 255


def _part_of(part: Part, faces: np.ndarray) -> Part:
    if isinstance(part, TexturedMesh):
        return replace(part, mesh=Mesh(part.mesh.vertices, faces))
    return Mesh(part.vertices, faces, part.colors)


def _with_print(part: Part, picture: np.ndarray, rng: np.random.Generator) -> TexturedMesh:
    mesh = part.mesh if isinstance(part, TexturedMesh) else part
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.abs(normals).argmax(axis=1)
    across = np.array([[2, 1], [0, 2], [0, 1]])[axis]  # (F, 2), v along y where it can be
    uvs = np.take_along_axis(corners, across[:, None, :].repeat(3, axis=1), axis=2)
    often = rng.uniform(*_PER_AXIS)
    offsets = rng.random((3, 2))[axis]
    vertices = corners.reshape(-1, 3).astype(np.float32)
    printed = Mesh(vertices, np.arange(len(vertices), dtype=np.int32).reshape(-1, 3))
    return TexturedMesh(printed, (often * uvs + offsets[:, None]).reshape(-1, 2).astype(np.float32), picture)
