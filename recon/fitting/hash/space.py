"""Where rays have to look: the occupancy of space, from the field as it is now."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zero123pp.recon.fitting.hash.field import POINTS_AT_ONCE, HashField
from zero123pp.recon.ops.field import BAND
from zero123pp.recon.ops.rays import EMPTY, SOLID, SURFACE

_NEAR = 1.0
"""Cells from the surface up to which a cell's centre counts as near."""


@dataclass(frozen=True)
class Space:
    """The states of cells that fill the field's cube."""

    state: Tensor
    """(m, m, m) uint8: `EMPTY`, `SURFACE` or `SOLID`."""
    near: Tensor
    """(K, 3) centres of the cells nearest to the surface, voxels."""
    cell: float
    """Side of a cell, voxels."""


@torch.no_grad()
def surface_states(field: HashField, sharpness: float, reach: float, voxels: float = 2.0) -> Space:
    """The states now: a cell may hold a surface where the logistic of NeuS is not flat at its centre.

    Args:
        field: to be looked at.
        sharpness: of NeuS, 1/voxel.
        reach: how far the surface may lie from that of the field's base, voxels.
        voxels: side of a cell, voxels.
    """
    m = max(round(field.top / voxels), 1)
    cell = field.top / m
    axis = (torch.arange(m, device=field.table.device, dtype=field.table.dtype) + 0.5) * cell
    centres = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    band = BAND / sharpness + cell * 0.87  # half a cell's diagonal farther at its corners
    distance = torch.cat([field.distance_within(part, reach + band) for part in centres.split(POINTS_AT_ONCE)])
    state = torch.full_like(distance, SURFACE, dtype=torch.uint8)
    state[distance > band] = EMPTY
    state[distance < -band] = SOLID
    near = centres[distance.abs() < _NEAR * cell]
    return Space(state.reshape(m, m, m), near, cell)
