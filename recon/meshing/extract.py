"""A field to a mesh: the surface where the signed distance is zero."""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.field import Field
from zero123pp.recon.meshing.topology import outward
from zero123pp.types import Mesh

_TAUBIN = (0.5, -0.53)
"""Shares of the way to the mean of the neighbours in a round (Taubin, "A signal processing approach to fair surface
design", 1995): what turns within an edge or two vanishes, the rest stays."""


@dataclass(frozen=True)
class ExtractConfig:
    """How the surface is taken from the field."""

    upsample: int = 1
    """Cells per voxel along an axis; above 1 the distances are interpolated by cubic splines first (smoother)."""

    smooth: int = 1
    """Rounds of Taubin smoothing: marching cubes put vertices on the edges of the grid, which leaves normals that go up
    and down; they are moved towards the mean of their neighbours and, so that nothing shrinks, back."""

    def __post_init__(self) -> None:
        if not 0 <= self.smooth <= 100:
            raise ConfigError(f"extract.smooth is {self.smooth}; expected 0 to 100")
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
    mesh = outward(Mesh(vertices, faces, _colors(field, nodes * (len(field.sdf) - 1) / (len(sdf) - 1))))
    for share in _TAUBIN * config.smooth:
        mesh = mesh.with_vertices(_moved(mesh.vertices, mesh.faces, share))
    return mesh


def _moved(vertices: np.ndarray, faces: np.ndarray, share: float) -> np.ndarray:
    """Vertices (Nv, 3) of a closed surface, moved by ``share`` of the way to the mean of their neighbours."""
    total, count = np.zeros(vertices.shape), np.bincount(faces.ravel(), minlength=len(vertices))
    for corner in range(3):  # each neighbour comes in two faces, once after the vertex and once before it
        for axis in range(3):
            after = vertices[faces[:, (corner + 1) % 3], axis]
            total[:, axis] += np.bincount(faces[:, corner], after, len(vertices))
    mean = total / np.maximum(count, 1)[:, None]
    return np.where(count[:, None] > 0, vertices + share * (mean - vertices), vertices).astype(np.float32)


def _colors(field: Field, nodes: np.ndarray) -> np.ndarray:
    """Colours (N, 3) uint8 at positions (N, 3) in units of nodes."""
    from scipy.ndimage import map_coordinates

    from zero123pp.images import to_uint8

    channels = [map_coordinates(field.color[..., c], nodes.T, order=1, mode="nearest") for c in range(3)]
    return to_uint8(np.stack(channels, -1))
