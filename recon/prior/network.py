"""The shape prior as a torch module: pictures of known (or assumed) cameras in, signed distances and colours out.

Features of every picture are projected into a coarse grid of voxels, statistics over the pictures make their number
and order irrelevant, a 3D U-Net reasons about the shape, and a small perceptron decodes any point from the grid's
features and from what the pictures show at the point's projections (the local features of Saito et al., "PIFu",
ICCV 2019, and the grid of Peng et al., "Convolutional occupancy networks", ECCV 2020, together). What outlines alone
say is computed and not learned: the distance from their cones goes in, and the result is a correction of it.

Training and export use this module; at run time `zero123pp.recon.prior.runtime` does the same without torch.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from zero123pp.recon.prior.look_ups import outline_at, statistics_at, voxel_centres
from zero123pp.recon.prior.runtime import DISTANCE_UNIT, MOST_UNITS

INPUT_CHANNELS = 8
"""Of a picture: colour times alpha (3), alpha, view-space normal times alpha (3), 1 where normals are given."""


@dataclass(frozen=True)
class PriorShape:
    """Widths of the network."""

    picture_widths: tuple[int, ...] = (32, 64, 96, 128)
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the picture."""
    feature_width: int = 16
    """Channels that are projected."""
    grid: int = 32
    """Voxels along an axis of the coarse grid."""
    grid_widths: tuple[int, ...] = (32, 64, 128, 128)
    """Channels of the grid and of its halvings."""
    decoder_width: int = 96
    """Of the perceptron."""

    @property
    def projected_width(self) -> int:
        """Channels of a picture's map: features, colour and alpha."""
        return self.feature_width + 4

    @property
    def grid_inputs(self) -> int:
        """Channels of a voxel: statistics, place and distances from the outlines."""
        return self.statistics_width + 3 + OUTLINES

    @property
    def statistics_width(self) -> int:
        """Channels of a point: mean, deviation and maximum over the pictures."""
        return 3 * self.projected_width


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each place; with the channels last in memory it needs no copy."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to the same shape."""
        last = x.ndim - 1  # written so, since the exporter does not know negative axes here
        normed = functional.layer_norm(x.movedim(1, last), self.weight.shape, self.weight, self.bias)
        return normed.movedim(last, 1)


class Residual(nn.Module):
    """Two 3-wide convolutions with a skip; ``dimensions`` is 2 or 3."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.body = nn.Sequential(
            ChannelNorm(channels), nn.SiLU(), convolution(channels, channels, 3, padding=1),
            ChannelNorm(channels), nn.SiLU(), convolution(channels, channels, 3, padding=1),
        )  # fmt: skip
        nn.init.zeros_(self.body[-1].weight)
        nn.init.zeros_(self.body[-1].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to the same shape."""
        return x + self.body(x)


class UNet(nn.Module):
    """Halvings and doublings with sums as skips; the same in 2 and 3 dimensions.

    The finest level, where places are many and costly, is refined on the way up only.
    """

    def __init__(self, widths: tuple[int, ...], dimensions: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d

        self.down = nn.ModuleList([nn.Identity(), *(Residual(width, dimensions) for width in widths[1:])])
        self.shrink = nn.ModuleList(convolution(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(convolution(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(Residual(width, dimensions) for width in widths[:-1])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, C, ...), sides multiples of 2^(levels - 1), to the same shape, and the coarsest level's features."""
        skips = []
        for index, blocks in enumerate(self.down):
            x = blocks(x)
            if index < len(self.shrink):
                skips.append(x)
                x = self.shrink[index](x)
        coarsest = x
        for index in reversed(range(len(self.up))):
            x = functional.interpolate(self.grow[index](x), scale_factor=2.0, mode="nearest") + skips[index]
            x = self.up[index](x)
        return x, coarsest


class PictureEncoder(nn.Module):
    """What each picture alone tells: a map of features, its normals, and the camera's elevation."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        first, last = shape.picture_widths[0], shape.picture_widths[-1]
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * INPUT_CHANNELS, first, 3, padding=1))
        self.unet = UNet(shape.picture_widths, 2)
        self.features = nn.Sequential(ChannelNorm(first), nn.SiLU(), nn.Conv2d(first, shape.feature_width, 1))
        self.normals = nn.Sequential(
            ChannelNorm(first), nn.SiLU(), nn.Conv2d(first, first, 3, padding=1), nn.SiLU(),
            nn.Conv2d(first, 12, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        self.elevation = nn.Sequential(nn.Linear(2 * last, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode pictures.

        Args:
            pictures: (B, INPUT_CHANNELS, S, S), S a multiple of 16.

        Returns:
            Maps (B, projected_width, S/2, S/2); view-space normals (B, 3, S, S), not of unit length; elevation
            (B,) in units of `ELEVATION_UNIT_DEG`.
        """
        x, coarsest = self.unet(self.stem(pictures))
        colors = functional.avg_pool2d(pictures[:, :4], 2)
        maps = torch.cat([self.features(x), colors], 1)
        pooled = torch.cat([coarsest.mean((2, 3)), coarsest.amax((2, 3))], 1)
        return maps, self.normals(x), self.elevation(pooled)[:, 0]


class GridNetwork(nn.Module):
    """Statistics at the voxels, and where they are, to features of the voxels."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        first = shape.grid_widths[0]
        self.stem = nn.Conv3d(shape.grid_inputs, first, 1)
        self.unet = UNet(shape.grid_widths, 3)
        self.norm = ChannelNorm(first)

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        """(B, grid_inputs, G, G, G) to (B, grid_widths[0], G, G, G)."""
        return self.norm(self.unet(self.stem(statistics))[0])


class PointDecoder(nn.Module):
    """Features of a point and its distances from the outlines to its signed distance and colour."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        width = shape.decoder_width
        self.body = nn.Sequential(
            nn.Linear(shape.grid_widths[0] + shape.statistics_width + OUTLINES, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 4),
        )  # fmt: skip
        with torch.no_grad():  # it starts as the visual hull
            self.body[-1].weight[0].zero_()
            self.body[-1].bias[0].zero_()

    def forward(self, features: torch.Tensor, outlines: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode points.

        Args:
            features: (..., grid_widths[0] + statistics_width).
            outlines: (..., OUTLINES) float32, see `look_ups.outline_at`.

        Returns:
            Distances (...,) in half sides of the cube, and sRGB (..., 3).
        """
        out = self.body(torch.cat([features, scaled_outlines(outlines).to(features.dtype)], -1)).float()
        hull = outlines[..., 0].clamp(-_INSIDE, _OUTSIDE)
        return hull + DISTANCE_UNIT * out[..., 0], out[..., 1:].sigmoid()


OUTLINES = 2
"""Distances from the cones of the outlines that a point has."""


_INSIDE, _OUTSIDE = 0.03, 0.1
"""Half sides of the cube up to which the start follows the hull. Outside of it there is nothing; but inside, above all
in the cone of one picture, most is empty, and the loss is flat where a start is surely solid."""


def scaled_outlines(outlines: torch.Tensor) -> torch.Tensor:
    """Distances from the outlines as the networks take them: of the size of their other inputs."""
    return (outlines / DISTANCE_UNIT).clamp(-MOST_UNITS, MOST_UNITS)


class ShapePrior(nn.Module):
    """All of it. The cube is [-1, 1]^3 here; callers scale."""

    def __init__(self, shape: PriorShape = PriorShape()) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.grid, self.decoder = PictureEncoder(shape), GridNetwork(shape), PointDecoder(shape)

    def encode_volume(
        self, maps: torch.Tensor, outlines: torch.Tensor, matrices: torch.Tensor, size: int | None = None
    ) -> torch.Tensor:
        """Features of the voxels.

        Args:
            maps: (B, V, C, H, W) of the encoder.
            outlines: (B, V, S, S) float32, of `framing.picture_outline`.
            matrices: (B, V, 3, 4) float32, see `look_ups.statistics_at`.
            size: voxels along an axis, G, a multiple of 8; None takes the final one. Training starts coarse.

        Returns:
            (B, grid_widths[0], G, G, G).
        """
        size = size or self.shape.grid
        places = voxel_centres(size, maps.device)[None].expand(len(maps), -1, -1)
        found = statistics_at(maps, matrices, places)  # (B, G^3, K)
        near = scaled_outlines(outline_at(outlines, matrices, places))
        found = torch.cat([found, places.to(found.dtype), near.to(found.dtype)], -1)
        return self.grid(found.reshape(len(maps), size, size, size, -1).movedim(-1, 1))

    def decode(
        self, volume: torch.Tensor, maps: torch.Tensor, outlines: torch.Tensor, matrices: torch.Tensor,
        points: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        """Distances (B, N) and colours (B, N, 3) at points (B, N, 3) in the cube [-1, 1]^3."""
        # grid_sample's x is the last axis of the volume, which is z here.
        where = points.flip(-1)[:, None, None]
        local = functional.grid_sample(volume.float(), where, align_corners=False, padding_mode="border")
        local = local[:, :, 0, 0].transpose(1, 2).to(maps.dtype)  # (B, N, C)
        features = torch.cat([local, statistics_at(maps, matrices, points)], -1)
        return self.decoder(features, outline_at(outlines, matrices, points))
