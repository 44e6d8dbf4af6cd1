"""What a rasteriser returns: per pixel, the triangle that is seen and where on it."""

from dataclasses import dataclass

import numpy as np

from zero123pp.types import ByContent


@dataclass(frozen=True, eq=False)
class Fragments(ByContent):
    """The nearest surface through every pixel centre."""

    face: np.ndarray
    """(H, W) int32 index of the triangle, -1 where there is none."""
    barycentric: np.ndarray
    """(H, W, 3) float32 weights of the triangle's corners on the surface itself (perspective-correct), 0 where none."""
    depth: np.ndarray
    """(H, W) float32 distance to the camera plane, 0 where there is none."""

    @property
    def covered(self) -> np.ndarray:
        """(H, W) bool, where a triangle is seen."""
        return self.face >= 0

    def interpolate(self, faces: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Vertex attributes at the covered pixels, row-major.

        Args:
            faces: (F, 3) the vertex indices that were rasterised.
            values: (N, C) one attribute vector per vertex.

        Returns:
            (number of covered pixels, C) float32.
        """
        corners = np.asarray(faces)[self.face[self.covered]]
        weights = self.barycentric[self.covered]
        values = np.asarray(values, np.float32)
        # One corner at a time: gathers of (n, C) instead of one of (n, 3, C).
        result = values[corners[:, 0]] * weights[:, :1]
        result += values[corners[:, 1]] * weights[:, 1:2]
        result += values[corners[:, 2]] * weights[:, 2:]
        return result
