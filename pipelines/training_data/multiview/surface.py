"""The parts of a mesh file as one surface: linear reflectance and normals at any of its points."""

from collections.abc import Sequence

import numpy as np

from zero123pp.images import srgb_to_linear
from zero123pp.recon.render import UNPAINTED, look_up
from zero123pp.render import Points
from zero123pp.types import Part, TexturedMesh

_LINEAR = np.round(srgb_to_linear(np.arange(256) / 255) * 65535).astype(np.uint16)
"""8-bit sRGB to 16-bit linear light: colours are interpolated after decoding, as glTF asks, not before."""


class Surface:
    """All triangles of an object, and what they look like."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Joins the parts; faces count through them in order."""
        meshes = [part.mesh if isinstance(part, TexturedMesh) else part for part in parts]
        starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
        self.vertices = np.concatenate([mesh.vertices for mesh in meshes])
        """(V, 3) float32."""
        self.faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)]).astype(np.int32)
        """(F, 3) int32."""
        self._first_face = np.cumsum([0] + [len(mesh.faces) for mesh in meshes])
        self._textures = [_LINEAR[part.base_color] if isinstance(part, TexturedMesh) else None for part in parts]
        self._paint = np.zeros((len(self.vertices), 3), np.float32)  # linear colours, or uv in two columns
        self._smooth = np.zeros((len(self.vertices), 3), np.float32)
        for part, mesh, start in zip(parts, meshes, starts):
            rows = slice(start, start + len(mesh.vertices))
            if isinstance(part, TexturedMesh):
                self._paint[rows, :2] = part.uvs
                self._smooth[rows] = 0 if part.normals is None else part.normals
            else:
                unpainted = srgb_to_linear(UNPAINTED)
                self._paint[rows] = unpainted if mesh.colors is None else _LINEAR[mesh.colors] / np.float32(65535)
        corners = self.vertices.astype(np.float64)[self.faces]
        crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._flat = (crosses / np.maximum(np.linalg.norm(crosses, axis=1, keepdims=True), 1e-30)).astype(np.float32)

    def albedo(self, face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
        """Linear reflectance (n, 3) float32 at points given by face (n,) and weights of its corners (n, 3)."""
        weights, corners = barycentric.astype(np.float32), self.faces[face]
        paint = self._paint[corners[:, 0]] * weights[:, :1]  # one corner at a time: smaller gathers
        paint += self._paint[corners[:, 1]] * weights[:, 1:2]
        paint += self._paint[corners[:, 2]] * weights[:, 2:]
        part = np.searchsorted(self._first_face, face, side="right") - 1
        for number, texture in enumerate(self._textures):
            if texture is not None:
                of_part = part == number
                paint[of_part] = look_up(texture, paint[of_part, :2]) * np.float32(255 / 65535)
        return paint

    def points(self, face: np.ndarray, barycentric: np.ndarray, eye: np.ndarray) -> Points:
        """What is lit at points given as in `albedo`, as seen from ``eye`` (3,), see `point_kernels.seen_points`."""
        from zero123pp.render import seen_points

        arrays = (np.ascontiguousarray(face, np.int32), np.ascontiguousarray(barycentric, np.float32))
        eye = np.asarray(eye, np.float32)
        return Points(*seen_points(*arrays, self.vertices, self.faces, self._smooth, self._flat, eye))
