"""The scene as the fit knows it: a signed distance and a colour at every node of a cubic grid."""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.types import Record, read_only


@dataclass(frozen=True, eq=False)
class Field(Record):
    """A signed distance field with colours on N^3 nodes, which span [-half_extent, half_extent]^3 inclusive.

    Node (i, j, k) stands at ``-half_extent + 2 half_extent (i, j, k) / (N - 1)`` in (x, y, z), world frame.
    """

    sdf: np.ndarray
    """(N, N, N) float32, world units, negative inside; indexed [x, y, z]."""
    color: np.ndarray
    """(N, N, N, 3) float32, sRGB in [0, 1]."""
    half_extent: float
    """World units."""
    made_by: str = "grid"
    """What fitted it and with which back-ends, for reports."""

    def __post_init__(self) -> None:
        sdf, color = np.asarray(self.sdf), np.asarray(self.color)
        if sdf.ndim != 3 or len(set(sdf.shape)) != 1 or len(sdf) < 2 or color.shape != (*sdf.shape, 3):
            raise BadInput(f"field has sdf {sdf.shape} and color {color.shape}; expected (N, N, N) and (N, N, N, 3)")
        if not self.half_extent > 0:
            raise BadInput(f"field has half_extent {self.half_extent}; expected a positive length")
        for name, array in (("sdf", sdf), ("color", color)):
            object.__setattr__(self, name, read_only(array, np.float32))

    @property
    def voxel(self) -> float:
        """Distance between neighbouring nodes, world units."""
        return 2 * self.half_extent / (len(self.sdf) - 1)


def resize_grid(values: np.ndarray, resolution: int) -> np.ndarray:
    """Node values (N, N, N, ...) on ``resolution``^3 nodes over the same cube, by trilinear interpolation.

    The result has the same dtype.
    """
    for axis in range(3):
        position = np.linspace(0, values.shape[axis] - 1, resolution)
        low = np.minimum(position.astype(int), values.shape[axis] - 2)
        fraction = (position - low).astype(values.dtype)
        fraction = fraction.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        first, second = np.take(values, low, axis), np.take(values, low + 1, axis)
        values = first + fraction * (second - first)
    return values
