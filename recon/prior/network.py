"""The shape prior as a torch module: pictures of known (or assumed) cameras in, signed distances and colours out.

Features of every picture are projected into a coarse grid of voxels, statistics over the pictures make their number
and order irrelevant, a 3D U-Net reasons about the shape, and a small perceptron decodes any point from the grid's
features and from what the pictures show at the point's projections (the local features of Saito et al., "PIFu",
ICCV 2019, and the grid of Peng et al., "Convolutional occupancy networks", ECCV 2020, together).

Training and export use this module; at run time `zero123pp.recon.prior.runtime` does the same without torch.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

INPUT_CHANNELS = 8
"""Of a picture: colour times alpha (3), alpha, view-space normal times alpha (3), 1 where normals are given."""

PICTURE_PX = 128
"""Side of the pictures."""


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


ELEVATION_UNIT_DEG = 30.0
"""What the elevation of 1 means."""


class GridNetwork(nn.Module):
    """Statistics at the voxels, and where they are, to features of the voxels."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        first = shape.grid_widths[0]
        self.stem = nn.Conv3d(shape.statistics_width + 3, first, 1)
        self.unet = UNet(shape.grid_widths, 3)
        self.norm = ChannelNorm(first)

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        """(B, statistics_width + 3, G, G, G) to (B, grid_widths[0], G, G, G)."""
        return self.norm(self.unet(self.stem(statistics))[0])


class PointDecoder(nn.Module):
    """Features of a point to its signed distance and colour."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        width = shape.decoder_width
        self.body = nn.Sequential(
            nn.Linear(shape.grid_widths[0] + shape.statistics_width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 4),
        )  # fmt: skip

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(..., grid_widths[0] + statistics_width) to distances (...,) of the cube's half side, and sRGB (..., 3)."""
        out = self.body(features).float()
        return DISTANCE_UNIT * out[..., 0], out[..., 1:].sigmoid()


DISTANCE_UNIT = 0.1
"""What the decoder's output of 1 means, in half sides of the cube."""


class ShapePrior(nn.Module):
    """All of it. The cube is [-1, 1]^3 here; callers scale."""

    def __init__(self, shape: PriorShape = PriorShape()) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.grid, self.decoder = PictureEncoder(shape), GridNetwork(shape), PointDecoder(shape)

    def encode_volume(self, maps: torch.Tensor, matrices: torch.Tensor, size: int | None = None) -> torch.Tensor:
        """Features of the voxels.

        Args:
            maps: (B, V, C, H, W) of the encoder.
            matrices: (B, V, 3, 4) float32, see `statistics_at`.
            size: voxels along an axis, G, a multiple of 8; None takes the final one. Training starts coarse.

        Returns:
            (B, grid_widths[0], G, G, G).
        """
        size = size or self.shape.grid
        places = voxel_centres(size, maps.device)[None].expand(len(maps), -1, -1)
        found = statistics_at(maps, matrices, places)  # (B, G^3, K)
        found = torch.cat([found, places.to(found.dtype)], -1)
        return self.grid(found.reshape(len(maps), size, size, size, -1).movedim(-1, 1))

    def decode(
        self, volume: torch.Tensor, maps: torch.Tensor, matrices: torch.Tensor, points: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances (B, N) and colours (B, N, 3) at points (B, N, 3) in the cube [-1, 1]^3."""
        # grid_sample's x is the last axis of the volume, which is z here.
        where = points.flip(-1)[:, None, None]
        local = functional.grid_sample(volume.float(), where, align_corners=False, padding_mode="border")
        local = local[:, :, 0, 0].transpose(1, 2).to(maps.dtype)  # (B, N, C)
        return self.decoder(torch.cat([local, statistics_at(maps, matrices, points)], -1))


def voxel_centres(size: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """(size^3, 3) in [-1, 1]^3, x slowest."""
    axis = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def statistics_at(maps: torch.Tensor, matrices: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Mean, deviation and maximum over the pictures of what they show at points; 0 outside of a picture.

    Args:
        maps: (B, V, C, H, W).
        matrices: (B, V, 3, 4) float32; take homogeneous points to (u w, v w, w), u and v in [-1, 1] over the picture.
        points: (B, N, 3) float32.

    Returns:
        (B, N, 3 C) of the maps' type.
    """
    batch, views, channels, height, width = maps.shape
    seen = torch.einsum("bvij,bnj->bvni", matrices[..., :3], points) + matrices[..., None, :, 3]
    uv = seen[..., :2] / seen[..., 2:].clamp(min=1e-3)
    found = functional.grid_sample(
        maps.float().reshape(batch * views, channels, height, width),
        uv.reshape(batch * views, 1, -1, 2),
        align_corners=False,
    )
    found = found.reshape(batch, views, channels, -1)
    return _Statistics.apply(found).transpose(1, 2).to(maps.dtype)


class _Statistics(torch.autograd.Function):
    """(B, V, C, N) to mean, deviation and maximum over V, (B, 3 C, N); several times faster than composed of parts."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, found: torch.Tensor) -> torch.Tensor:
        if found.shape[1] == 1:
            context.views = 1
            return torch.cat([found[:, 0], torch.full_like(found[:, 0], _LEAST_DEVIATION), found[:, 0]], 1)
        context.views = found.shape[1]
        mean, squares = found[:, 0].clone(), found[:, 0].square()
        largest, place = found[:, 0].clone(), torch.zeros_like(mean, dtype=torch.int8)
        for view in range(1, context.views):
            values = found[:, view]
            mean += values
            squares.addcmul_(values, values)
            larger = values > largest
            largest = torch.where(larger, values, largest)
            place.masked_fill_(larger, view)
        mean /= context.views
        deviation = (squares / context.views - mean.square()).clamp_(min=_LEAST_DEVIATION**2).sqrt_()
        context.save_for_backward(found, mean, deviation, place)
        return torch.cat([mean, deviation, largest], 1)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
        of_mean, of_deviation, of_largest = gradient.chunk(3, 1)
        if context.views == 1:
            return (of_mean + of_largest)[:, None]
        found, mean, deviation, place = context.saved_tensors
        result = torch.empty_like(found)
        slope = of_deviation / (deviation * context.views)
        offset = of_mean / context.views - slope * mean
        for view in range(context.views):
            torch.addcmul(offset, slope, found[:, view], out=result[:, view])
            result[:, view].add_(of_largest * (place == view))
        return result


_LEAST_DEVIATION = 1e-3
"""Under the root of the variance, whose slope there is infinite."""
