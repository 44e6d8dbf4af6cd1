"""The generalised winding number of any triangle soup on a grid, by libigl.

The generalised winding number (Jacobson et al. 2013, "Robust inside-outside segmentation using generalized winding
numbers") of a point is the signed solid angle of the surface over 4 pi. libigl sums faces that are far away together
(Barill et al. 2018, "Fast winding numbers for soups and clouds"), which errs by some thousandths.
"""

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.types import Mesh


def grid_winding_numbers(mesh: Mesh, resolution: int, half_side: float) -> np.ndarray:
    """Generalised winding numbers at the cell centres of a grid over the cube [-half_side, half_side]^3.

    Args:
        mesh: Any triangle soup; counter-clockwise faces seen from outside give positive numbers.
        resolution: Cells per side.
        half_side: Half the side of the cube, in the units of the mesh.

    Returns:
        (R, R, R) float32, x y z order. Faces outside the cube count too.

    Raises:
        BadInput: vertices that are not finite.
        MissingBackend: libigl is not installed.
    """
    try:
        import igl
    except ImportError as error:
        raise MissingBackend("volumes are measured with libigl; pip install 'zero123pp[eval]'") from error
    vertices, faces = mesh.vertices.astype(np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    if not np.isfinite(vertices).all():
        raise BadInput("the mesh has vertices that are not finite; repair it first")
    if not len(faces):
        return np.zeros((resolution,) * 3, np.float32)
    along = (np.arange(resolution) + 0.5) * (2 * half_side / resolution) - half_side
    centres = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
    return igl.fast_winding_number(vertices, faces, centres).reshape((resolution,) * 3).astype(np.float32)
