"""The hash-grid field: signed distance and colour anywhere, as a dense base and a learned correction.

f(x) = max(base(x) + mlp(encoding(x)), floor(x)). The base is what is known before (a fitted grid, a visual hull, a
sphere), the correction begins at zero. Lengths are in voxels of the base: node (i, j, k) stands at (i, j, k).
"""

from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional

from zero123pp.recon.ops.encoding import HashLayout

_BETA = 100.0
"""Of the softplus, as in NeuS: nearly a ReLU, with a second derivative."""

POINTS_AT_ONCE = 65_536
"""Points asked for together where no gradient is needed."""

_ROOM = 3.0
"""Where the floor is higher than this, voxels, there is no surface."""

DISTANCE, FLOOR, SLOPE, COLOR, CHANNELS = 0, 1, 2, 5, 8
"""Channels of the base: signed distance, least distance, slope (3) of the distance, sRGB colour (3)."""


class HashField(nn.Module):
    """A signed distance and a view-independent colour at every point of a cube."""

    def __init__(
        self, base: Tensor, layout: HashLayout, encoding: ModuleType, *, hidden: int = 64, geometry: int = 15
    ) -> None:  # fmt: skip
        """Start as the base.

        Args:
            base: (n, n, n, CHANNELS) at nodes, indexed [x, y, z].
            layout: of the encoding.
            encoding: a back-end of `zero123pp.recon.ops.encoding`.
            hidden: width of the perceptrons.
            geometry: features that the first perceptron hands to that of the colour.
        """
        super().__init__()
        self.layout, self.active, self._encoding = layout, layout.levels, encoding
        self.top = base.shape[0] - 1
        # Two copies, so that rays, which need distances only, do not fetch all channels.
        self.register_buffer("_distances", base[..., :SLOPE].permute(3, 2, 1, 0)[None].contiguous())
        self.register_buffer("_rest", base[..., SLOPE:].permute(3, 2, 1, 0)[None].contiguous())
        self.table = nn.Parameter(torch.empty(layout.entries, layout.features).uniform_(-1e-4, 1e-4))
        self.first = nn.Linear(layout.width, hidden)
        self.second = nn.Linear(hidden, 1 + geometry)
        self.color = nn.Sequential(nn.Linear(geometry + layout.width, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        for layer in (self.second, self.color[-1]):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.second.weight[0])
        nn.init.zeros_(self.color[-1].weight)

    def distance(self, points: Tensor) -> Tensor:
        """Signed distances (P,) in voxels at points (P, 3) in voxels."""
        encoded, _ = self._encoding.encode(points / self.top, self.table, self.layout, self.active)
        correction = functional.linear(self._hidden(encoded), self.second.weight[:1], self.second.bias[:1])[:, 0]
        base, floor = self._look_up(self._distances, points).unbind(1)
        return torch.maximum(base + correction, floor)

    def surface(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Distances (P,) before they are held above the floor, their slopes (P, 3) and colours (P, 3) at points.

        Slopes come from the chain rule written out, not from a second pass of automatic differentiation: an encoding
        that also returns its derivatives is linear in the table, so one ordinary backward pass is enough.
        """
        encoded, derivatives = self._encoding.encode(points / self.top, self.table, self.layout, self.active, True)
        before = self.first(encoded)
        out = self.second(functional.softplus(before, _BETA))
        by_feature = (torch.sigmoid(_BETA * before) * self.second.weight[0]) @ self.first.weight  # [P, L F]
        slope = torch.einsum("pkf,pf->pk", derivatives, by_feature) / self.top
        base = self._look_up(self._distances, points)[:, DISTANCE]
        rest = self._look_up(self._rest, points)
        color = rest[:, COLOR - SLOPE :] + self.color(torch.cat([out[:, 1:], encoded], 1))
        return base + out[:, 0], rest[:, : COLOR - SLOPE] + slope, color

    @torch.no_grad()
    def distance_within(self, points: Tensor, reach: float) -> Tensor:
        """`distance`, which is looked up only where the base is less than ``reach`` and its own elsewhere."""
        base, floor = self._look_up(self._distances, points).unbind(1)
        distance = torch.maximum(base, floor)
        rows = ((base.abs() < reach) & (floor < _ROOM)).nonzero()[:, 0]
        distance[rows] = self.distance(points[rows])
        return distance

    @torch.no_grad()
    def nodes_within(self, reach: float) -> tuple[Tensor, Tensor, Tensor]:
        """The nodes less than ``reach`` from the base's surface that the floor leaves room, and the base's values.

        Returns:
            (K,) rows, (n^3,) distances and (n^3, 3) colours, in the order [x, y, z].
        """
        base, floor = self._distances[0].permute(3, 2, 1, 0).reshape(-1, 2).unbind(1)
        color = self._rest[0, COLOR - SLOPE :].permute(3, 2, 1, 0).reshape(-1, 3)
        near = (base.abs() < reach) & (floor < _ROOM)
        return near.nonzero()[:, 0], torch.maximum(base, floor), color.clone()

    def _hidden(self, encoded: Tensor) -> Tensor:
        return functional.softplus(self.first(encoded), _BETA)

    def _look_up(self, grid: Tensor, points: Tensor) -> Tensor:
        """Trilinear interpolation (P, C) of a constant grid (1, C, n, n, n)."""
        with torch.no_grad():
            where = (points * (2 / self.top) - 1)[None, None, None]
            found = functional.grid_sample(grid, where, mode="bilinear", padding_mode="border", align_corners=True)
        return found[0, :, 0, 0].T


def base_channels(sdf: Tensor, floor: Tensor, color: Tensor) -> Tensor:
    """The base (n, n, n, CHANNELS) from distances and least distances (n, n, n) in voxels and colours (n, n, n, 3)."""
    slope = torch.stack(torch.gradient(sdf), -1)
    return torch.cat([sdf[..., None], floor[..., None], slope, color], -1)
