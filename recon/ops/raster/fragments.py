"""What a rasteriser returns: per pixel, the triangle that is seen and where on it."""

from dataclasses import dataclass

import numpy as np

from zero123pp.recon.ops.kernel_input import kernel_input
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
        from zero123pp.recon.ops.raster.interpolation import interpolate

        result = np.empty((np.count_nonzero(self.covered), np.shape(values)[1]), np.float32)
        interpolate(
            kernel_input(faces, np.int32), kernel_input(values, np.float32), kernel_input(self.face, np.int32),
            kernel_input(self.barycentric, np.float32), result,
        )  # fmt: skip
        return result
