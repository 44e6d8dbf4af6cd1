"""A field to a mesh: the surface where the signed distance is zero."""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.field import Field
from zero123pp.recon.meshing.topology import outward
from zero123pp.types import Mesh


@dataclass(frozen=True)
class ExtractConfig:
    """How the surface is taken from the field."""

    upsample: int = 1
    """Cells per voxel along an axis; above 1 the distances are interpolated by cubic splines first (smoother)."""

    def __post_init__(self) -> None:
        if not 1 <= self.upsample <= 4:
            raise ConfigError(f"extract.upsample is {self.upsample}; expected 1 to 4")


def extract(field: Field, config: ExtractConfig = ExtractConfig()) -> Mesh:
    """The zero level set, closed, wound outward, with the field's colours at its vertices.

    Marching cubes in the topologically consistent variant of Lewiner et al. 2003 (scikit-image).

    Raises:
        StageFailed: the field has no surface.
    """
    from skimage.measure import marching_cubes

    sdf = field.sdf
    if config.upsample > 1:
        from scipy.ndimage import zoom

        sdf = zoom(sdf, ((len(sdf) - 1) * config.upsample + 1) / len(sdf), order=3, grid_mode=False)
    spacing = 2 * field.half_extent / (len(sdf) - 1)
    # Outside the grid nothing is known to exist: a layer of outside closes surfaces that reach its faces.
    padded = np.pad(sdf, 1, constant_values=spacing)
    if not (padded < 0).any():
        raise StageFailed("the fit has no surface left (no distance below 0); check the silhouettes and cameras")
    nodes, faces, _, _ = marching_cubes(padded, 0.0, gradient_direction="ascent")
    nodes = nodes - 1
    vertices = (nodes * spacing - field.half_extent).astype(np.float32)
    return outward(Mesh(vertices, faces, _colors(field, nodes * (len(field.sdf) - 1) / (len(sdf) - 1))))


def _colors(field: Field, nodes: np.ndarray) -> np.ndarray:
    """Colours (N, 3) uint8 at positions (N, 3) in units of nodes."""
    from scipy.ndimage import map_coordinates

    from zero123pp.images import to_uint8

    channels = [map_coordinates(field.color[..., c], nodes.T, order=1, mode="nearest") for c in range(3)]
    return to_uint8(np.stack(channels, -1))
