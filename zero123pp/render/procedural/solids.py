"""Closed triangle meshes as parts with a material: the pieces that all generators put together.

Lengths have no unit; y is up, objects face +z. Parts may overlap: whoever renders them takes their union.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zero123pp.render.procedural.materials import Material


@dataclass(frozen=True)
class Part:
    """A closed mesh and what it is made of."""

    vertices: np.ndarray
    """(N, 3) float64."""
    faces: np.ndarray
    """(F, 3) int64, counter-clockwise from outside."""
    rest: np.ndarray
    """(N, 3) float64, where each vertex lay when the part was made: solid textures are looked up there."""
    material: Material

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, material: Material) -> "Part":
        """Made where it is."""
        vertices = np.asarray(vertices, float)
        return cls(vertices, np.asarray(faces, np.int64), vertices, material)

    def at(self, *place: float) -> "Part":
        """Moved by a vector."""
        return replace(self, vertices=self.vertices + np.asarray(place, float))

    def scaled(self, *factors: float) -> "Part":
        """Scaled by one factor or three; texture and all. Factors are positive."""
        return replace(self, vertices=self.vertices * np.asarray(factors, float))

    def turned(self, rotation: np.ndarray) -> "Part":
        """Turned by a (3, 3) rotation about the origin."""
        return replace(self, vertices=self.vertices @ rotation.T)

    def mirrored(self) -> "Part":
        """In the plane x = 0."""
        return replace(self, vertices=self.vertices * [-1, 1, 1], faces=self.faces[:, ::-1])

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest coordinates (3,)."""
        return self.vertices.min(0), self.vertices.max(0)


def about(axis: str | Sequence[float], angle_deg: float) -> np.ndarray:
    """Rotation (3, 3) about an axis ('x', 'y', 'z' or a vector), counter-clockwise seen from its tip."""
    a = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}[axis] if isinstance(axis, str) else axis
    a = np.asarray(a, float) / np.linalg.norm(a)
    k = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    angle = np.deg2rad(angle_deg)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def turned_to(direction: Sequence[float]) -> np.ndarray:
    """A rotation (3, 3) that brings +y to a direction."""
    d = np.asarray(direction, float) / np.linalg.norm(direction)
    axis = np.cross([0, 1.0, 0], d)
    if np.linalg.norm(axis) < 1e-9:
        return np.eye(3) if d[1] > 0 else about("x", 180)
    return about(axis, np.degrees(np.arccos(np.clip(d[1], -1, 1))))


def lathe(profile: np.ndarray, material: Material, segments: int = 48, closed: bool = False) -> Part:
    """A surface of revolution about y.

    Args:
        profile: (M, 2) of radius and height, going up on the outside; begins and ends on the axis unless it is a
            ``closed`` loop, as of a torus (counter-clockwise).
        material: of all of it.
        segments: round the axis.
        closed: whether the profile is a loop.
    """
    profile = np.asarray(profile, float)
    angles = 2 * np.pi * np.arange(segments) / segments
    r, y = profile[:, :1], profile[:, 1:]
    grid = np.stack([r * np.sin(angles), y + 0 * angles, r * np.cos(angles)], -1)  # (M, segments, 3)
    return Part.of(*_without_slivers(grid.reshape(-1, 3), _grid_faces(len(profile), segments, closed)), material)


def _grid_faces(rows: int, columns: int, wrap_rows: bool) -> np.ndarray:
    """Two triangles a cell of a grid that wraps round its columns."""
    i = np.arange(rows if wrap_rows else rows - 1)[:, None] + np.zeros((1, columns), int)
    j = np.arange(columns)[None] + np.zeros((len(i), 1), int)
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = (i + 1) % rows * columns + j, (i + 1) % rows * columns + (j + 1) % columns
    return np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])


def _without_slivers(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices at the same place made one, and the triangles that this flattens left out."""
    _, first, place = np.unique(np.round(vertices, 9), axis=0, return_index=True, return_inverse=True)
    faces = place.ravel()[faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return vertices[first], faces[whole]


def sweep(
    path: np.ndarray, section: np.ndarray, material: Material, scale: np.ndarray | float = 1.0, twist_deg: float = 0.0,
    closed: bool = False, round_ends: bool = False,
) -> Part:  # fmt: skip
    """A section carried along a path without spinning, but for the twist.

    Args:
        path: (N, 3), N at least 2.
        section: (K, 2) star-shaped about its origin, counter-clockwise.
        material: of all of it.
        scale: of the section, a number, (N,) or (N, 2).
        twist_deg: of the end against the beginning.
        closed: the path is a ring; its frames are closed by an even twist.
        round_ends: hemispherical ends instead of flat ones.
    """
    path, section = np.asarray(path, float), np.asarray(section, float)
    scale = np.broadcast_to(np.asarray(scale, float).reshape(-1, 1) if np.ndim(scale) == 1 else scale, (len(path), 2))
    if closed:
        tangents = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        tangents = np.gradient(path, axis=0)
    tangents = tangents / np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-12)
    normals = _parallel(tangents)
    angles = np.linspace(0, np.deg2rad(twist_deg), len(path))
    if closed:
        end = normals[-1] - (normals[-1] @ tangents[0]) * tangents[0]
        gap = np.arctan2(np.cross(normals[0], end) @ tangents[0], normals[0] @ end)
        angles = angles - gap * np.arange(len(path)) / len(path)
    binormals = np.cross(tangents, normals)
    n = np.cos(angles)[:, None] * normals + np.sin(angles)[:, None] * binormals
    b = np.cross(tangents, n)
    if round_ends and not closed:
        path, n, b, scale = _rounded_ends(path, tangents, n, b, scale, np.abs(section).max())
    if not closed:  # caps: a ring of no size at both ends
        path, n, b = (np.concatenate([v[:1], v, v[-1:]]) for v in (path, n, b))
        scale = np.concatenate([0 * scale[:1], scale, 0 * scale[-1:]])
    flat = section[None] * scale[:, None]
    # Looking along the path the section is counter-clockwise in (n, b), so rings run outwards as of `lathe`.
    rings = path[:, None] + flat[..., :1] * n[:, None] + flat[..., 1:] * b[:, None]
    vertices, faces = _without_slivers(rings.reshape(-1, 3), _grid_faces(len(path), len(section), closed))
    return Part.of(vertices, faces, material)


def _parallel(tangents: np.ndarray) -> np.ndarray:
    """Normals (N, 3) carried along tangents (N, 3) by the smallest rotations."""
    start = np.array([0, 0, 1.0]) if abs(tangents[0, 2]) < 0.9 else np.array([1.0, 0, 0])
    normals = [start - (start @ tangents[0]) * tangents[0]]
    for before, after in zip(tangents[:-1], tangents[1:]):
        axis, n = np.cross(before, after), normals[-1]
        cosine = np.clip(before @ after, -1, 1)
        n = n * cosine + np.cross(axis, n) + axis * (axis @ n) / max(1 + cosine, 1e-9)
        normals.append(n - (n @ after) * after)
    normals = np.array(normals)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _rounded_ends(path, tangents, n, b, scale, reach):
    t = np.linspace(0, np.pi / 2, 5)[1:-1]
    out = []
    for end, sign in ((0, -1), (-1, 1)):
        radius = scale[end].min() * reach
        steps = t[::-1] if end == 0 else t
        points = path[end] + sign * np.sin(steps)[:, None] * radius * tangents[end]
        out.append((points, np.cos(steps)[:, None] * scale[end]))
    (first, first_scale), (last, last_scale) = out
    count = len(t)
    path = np.concatenate([first, path, last])
    n, b = (np.concatenate([np.repeat(v[:1], count, 0), v, np.repeat(v[-1:], count, 0)]) for v in (n, b))
    return path, n, b, np.concatenate([first_scale, scale, last_scale])


def tube(path: np.ndarray, radius: np.ndarray | float, material: Material, sides: int = 14, **how: object) -> Part:
    """A round sweep; see `sweep`."""
    angles = 2 * np.pi * np.arange(sides) / sides
    return sweep(path, np.stack([np.cos(angles), np.sin(angles)], -1), material, scale=radius, **how)


def prism(outline: np.ndarray, height: float, material: Material, bevel: float = 0.0, steps: int = 1) -> Part:
    """A flat outline (K, 2) of x and z, counter-clockwise with x to the right and z up the page, raised along y.

    Star-shaped about its origin. Edges lose ``bevel``: one step cuts them, several round them.
    """
    outline = np.asarray(outline, float)
    reach = np.linalg.norm(outline, axis=1).mean()
    bevel = min(bevel, 0.45 * height, 0.45 * reach)
    t = np.linspace(0, np.pi / 2, steps + 1) if bevel > 0 else np.zeros(1)
    inset, rise = bevel * (1 - np.sin(t)), bevel * (1 - np.cos(t))
    heights = np.concatenate([rise, height - rise[::-1]])
    scale = 1 - np.concatenate([inset, inset[::-1]]) / reach
    path = np.stack([0 * heights, heights, 0 * heights], -1)
    # `_parallel` starts with z for an upward path: section axes are z and then x.
    return sweep(path, outline[:, ::-1][::-1], material, scale=scale)


def box(size: Sequence[float], material: Material, rounding: float = 0.0, steps: int = 3) -> Part:
    """A box of three edge lengths about the origin; edges rounded by a radius."""
    half = np.asarray(size, float) / 2
    rounding = min(rounding, 0.98 * half.min())
    if rounding <= 0:
        axes = [np.array([-h, h]) for h in half]
    else:
        t = rounding * (1 - np.cos(np.linspace(0, np.pi / 2, steps + 1)))  # dense where it is round
        axes = [np.concatenate([-h + t, h - t[::-1]]) for h in half]
    vertices, faces, count = [], [], 0
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1, 1):
            a, c = np.meshgrid(axes[u], axes[v], indexing="ij")
            points = np.empty((*a.shape, 3))
            points[..., axis], points[..., u], points[..., v] = sign * half[axis], a, c
            rows, columns = a.shape
            i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
            p, q = (i * columns + j).ravel(), ((i + 1) * columns + j).ravel()
            quads = np.concatenate([np.stack([p, q, q + 1], -1), np.stack([p, q + 1, p + 1], -1)])
            faces.append((quads if sign > 0 else quads[:, ::-1]) + count)
            vertices.append(points.reshape(-1, 3))
            count += rows * columns
    points = np.concatenate(vertices)
    if rounding > 0:
        core = np.clip(points, -(half - rounding), half - rounding)
        out = points - core
        points = core + rounding * out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    return Part.of(*_without_slivers(points, np.concatenate(faces)), material)


def ellipsoid(radii: Sequence[float], material: Material, power: float = 1.0, segments: int = 24) -> Part:
    """An ellipsoid about the origin; a power under 1 makes it boxy, over 1 pinched (superquadric)."""

    def bent(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** power

    latitude = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    cosine, sine = np.cos(latitude), np.sin(latitude)
    cosine[[0, -1]] = 0
    angles = 2 * np.pi * np.arange(segments) / segments
    grid = np.stack([
        bent(cosine)[:, None] * bent(np.sin(angles)), np.broadcast_to(bent(sine)[:, None], (len(sine), segments)),
        bent(cosine)[:, None] * bent(np.cos(angles)),
    ], -1) * np.asarray(radii, float)  # fmt: skip
    return Part.of(*_without_slivers(grid.reshape(-1, 3), _grid_faces(len(latitude), segments, False)), material)


def cylinder(radius: float, height: float, material: Material, top: float = 1.0, bevel: float = 0.0) -> Part:
    """Upright, from y = 0; ``top`` is the ratio of the radii, 0 for a cone."""
    upper = radius * top
    bevel = min(bevel, 0.3 * radius, 0.3 * height)
    profile = [
        (0, 0),
        (radius - bevel, 0),
        (radius, bevel),
        (upper, height - bevel),
        (upper - bevel, height),
        (0, height),
    ]
    return lathe(np.maximum(np.array(profile, float), 0), material, 32)


def torus(radius: float, thickness: float, material: Material, segments: int = 36) -> Part:
    """A ring about y."""
    angles = 2 * np.pi * np.arange(14) / 14
    loop = np.stack([radius + thickness * np.cos(angles), thickness * np.sin(angles)], -1)
    return lathe(loop, material, segments, closed=True)
