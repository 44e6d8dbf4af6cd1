"""The hash encoding in torch with automatic gradients: the specification, on any device."""

import torch
from torch import Tensor

from zero123pp.recon.ops.encoding.layout import PRIMES, HashLayout


def encode(
    points: Tensor, table: Tensor, layout: HashLayout, active: int | None = None, slopes: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Features of points, and how they change with the points.

    Differentiable with respect to the table; here with respect to the points as well, other back-ends take them as
    constants.

    Args:
        points: (P, 3) in [0, 1].
        table: (layout.entries, layout.features).
        layout: of the table.
        active: levels from this one on give 0; None for all levels.
        slopes: whether to compute the second result.

    Returns:
        (P, L F) features, level by level, and (P, 3, L F) their derivatives by the points or None.
    """
    features, derivatives = [], []
    for level in range(layout.levels):
        if active is not None and level >= active:
            features.append(points.new_zeros(len(points), layout.features))
            derivatives.append(points.new_zeros(len(points), 3, layout.features))
            continue
        entries, fraction = _corners(points, table, layout, level)
        features.append(_interpolated(entries, fraction))
        if slopes:
            derivatives.append(_slope(entries, fraction) * float(layout.scales[level]))
    return torch.cat(features, 1), torch.cat(derivatives, 2) if slopes else None


def _corners(points: Tensor, table: Tensor, layout: HashLayout, level: int) -> tuple[list[Tensor], Tensor]:
    """Entries (P, F) at the eight corners of the cells of points, x fastest, and places (P, 3) in the cells."""
    position = points * float(layout.scales[level]) + 0.5
    cell = position.detach().floor()
    node = cell.long()
    corners = [node + node.new_tensor([corner & 1, corner >> 1 & 1, corner >> 2 & 1]) for corner in range(8)]
    return [table[_row(corner, layout, level)] for corner in corners], position - cell


def _interpolated(entries: list[Tensor], fraction: Tensor) -> Tensor:
    """Trilinear interpolation (P, F)."""
    for axis in range(3):
        share = fraction[:, axis, None]
        entries = [low + share * (high - low) for low, high in zip(entries[::2], entries[1::2])]
    return entries[0]


def _slope(entries: list[Tensor], fraction: Tensor) -> Tensor:
    """Derivatives (P, 3, F) of `_interpolated` by the place in the cell."""
    derivatives = []
    for along in range(3):
        rest = entries
        for axis in range(3):
            share = fraction[:, axis, None]
            pairs = list(zip(rest[::2], rest[1::2]))
            rest = [high - low if axis == along else low + share * (high - low) for low, high in pairs]
        derivatives.append(rest[0])
    return torch.stack(derivatives, 1)


def _row(node: Tensor, layout: HashLayout, level: int) -> Tensor:
    """Row of the table (P,) of nodes (P, 3) of a level."""
    first, after = int(layout.offsets[level]), int(layout.offsets[level + 1])
    x, y, z = node.unbind(1)
    if layout.hashed[level]:
        index = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
    else:
        resolution = int(layout.resolutions[level])
        index = x + resolution * (y + resolution * z)
    return first + index % (after - first)
