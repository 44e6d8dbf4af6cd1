"""The network that reads one picture of an object: ray layers, normals, the back's colours, the way up, the lens.

Pixel-aligned: every pixel of the cutout says where its ray enters and leaves the object. See docs/one_view.md.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from zero123pp.train import ENCODER_CHANNELS, Encoder

OUTPUTS = 16
_WIDTHS = (128, 96, 64, 40)
"""Of the decoder at strides 16, 8, 4, 2."""
_GRID = 4
"""Side of the grid of places that the global outputs look at: where something is tells how the object lies."""
_USUAL_TAN = 0.27
"""Tangent of half the field of view across the crop that the network starts from."""


class Reading(NamedTuple):
    """What the network says of a batch; lengths in half sides of the crop at the object's plane, z away from it."""

    layers: torch.Tensor
    """(B, 4, S, S): where rays enter first, leave first, enter last and leave last."""
    front_normal: torch.Tensor
    """(B, 3, S, S), camera frame: x right, y down, z forward."""
    back_normal: torch.Tensor
    """(B, 3, S, S)."""
    back_rgb: torch.Tensor
    """(B, 3, S, S) sRGB 0..1, as lit as the picture is on the average."""
    gap: torch.Tensor
    """(B, S, S) logit: whether there is air between the second and the third layer."""
    log_error: torch.Tensor
    """(B, S, S) logarithm of the expected error of the front."""
    foreground: torch.Tensor
    """(B, S, S) logit: whether the object is there, whatever the given cutout says."""
    up: torch.Tensor
    """(B, 3) unit vector, camera frame."""
    tan_half_fov: torch.Tensor
    """(B,) across the crop."""


class _Convolution(nn.Sequential):
    """Convolution, normalisation, ReLU; or with the normalisation folded into the convolution."""

    def __init__(self, before: int, after: int, kernel: int, folded: bool) -> None:
        convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=folded)
        super().__init__(convolution, nn.Identity() if folded else nn.BatchNorm2d(after), nn.ReLU(inplace=True))

    def fold_into(self, other: "_Convolution") -> None:
        """Give a folded one what this one computes in evaluation mode."""
        convolution, norm = self[0], self[1]
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        other[0].weight.copy_(convolution.weight * gain[:, None, None, None])
        other[0].bias.copy_(norm.bias - norm.running_mean * gain)


class OneViewNet(nn.Module):
    """Pictures (B, 5, S, S) as `zero123pp.recon.prior.network_input` makes them, S a multiple of 32.

    It begins with normalisations in its decoder. Exported weights are folded, as the encoder's are from the beginning;
    training that goes on from them goes on without normalisations.
    """

    def __init__(self, is_folded: bool = False) -> None:
        super().__init__()
        self.is_folded = is_folded

        def _convolution(before: int, after: int, kernel: int = 3) -> _Convolution:
            return _Convolution(before, after, kernel, is_folded)

        c16, c8, c4, c2 = _WIDTHS
        self.encoder = Encoder(guides=2)
        self.whole = nn.Linear(ENCODER_CHANNELS[4], c16)
        self.at32 = _convolution(ENCODER_CHANNELS[4], c16, 1)
        self.at16 = nn.Sequential(_convolution(c16 + ENCODER_CHANNELS[3], c16), _convolution(c16, c16))
        self.to8 = _convolution(c16, c8, 1)
        self.at8 = nn.Sequential(_convolution(c8 + ENCODER_CHANNELS[2], c8), _convolution(c8, c8))
        self.to4 = _convolution(c8, c4, 1)
        self.at4 = nn.Sequential(_convolution(c4 + ENCODER_CHANNELS[1], c4), _convolution(c4, c4))
        self.to2 = _convolution(c4, c2, 1)
        self.at2 = _convolution(c2 + ENCODER_CHANNELS[0] + 20, c2)
        self.out = nn.Conv2d(c2, OUTPUTS * 4, 1)
        self.places = _convolution(c16, 32, 1)
        self.pose = nn.Sequential(
            nn.Linear(32 * _GRID * _GRID + ENCODER_CHANNELS[4], 160), nn.ReLU(), nn.Linear(160, 4)
        )
        nn.init.zeros_(self.out.bias)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.pose[2].bias)
        nn.init.normal_(self.pose[2].weight, std=0.01)

    def forward(self, x: torch.Tensor) -> Reading:
        """Read pictures."""
        f2, f4, f8, f16, f32 = self.encoder(x)
        whole = functional.layer_norm(f32.mean((2, 3)), (ENCODER_CHANNELS[4],))
        y = self.at32(f32) + self.whole(whole)[:, :, None, None]
        y = self.at16(torch.cat([_twice(y), f16], 1))
        places = _pooled(self.places(y)).flatten(1)
        pose = self.pose(torch.cat([places, whole], 1)).float()
        y = self.at8(torch.cat([_twice(self.to8(y)), f8], 1))
        y = self.at4(torch.cat([_twice(self.to4(y)), f4], 1))
        y = self.at2(torch.cat([_twice(self.to2(y)), f2, functional.pixel_unshuffle(x.contiguous(), 2)], 1))
        if y.dtype == torch.float32:
            out = self.out(y)
        else:  # in full precision: slopes are differences of depths, of which eight bits would leave little
            out = functional.conv2d(y.float(), self.out.weight.float(), self.out.bias.float())
        return _read(functional.pixel_shuffle(out, 2), pose)

    @torch.no_grad()
    def folded(self) -> "OneViewNet":
        """A copy that computes the same as this network in evaluation mode, without normalisations."""
        copy = OneViewNet(is_folded=True).eval()
        if self.is_folded:
            copy.load_state_dict(self.state_dict())
            return copy
        mine, theirs = dict(self.named_modules()), dict(copy.named_modules())
        inside = set()
        for name, module in mine.items():
            if isinstance(module, _Convolution):
                module.fold_into(theirs[name])
                inside |= {f"{name}.{key}" for key in module.state_dict()}
        kept = {name: value for name, value in self.state_dict().items() if name not in inside}
        copy.load_state_dict(copy.state_dict() | kept)
        return copy


def _twice(y: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)


def _pooled(y: torch.Tensor) -> torch.Tensor:
    """(B, C, _GRID, _GRID), whatever the size: bilinear where the sides do not divide."""
    if y.shape[-1] % _GRID == 0:
        return functional.avg_pool2d(y, y.shape[-1] // _GRID)
    return functional.interpolate(y, size=(_GRID, _GRID), mode="bilinear", align_corners=False)


def _read(o: torch.Tensor, pose: torch.Tensor) -> Reading:
    """The raw outputs made into lengths and directions: a middle surface and half a thickness that is positive."""
    # Split once: the gradient of a slice is as large as what it is sliced from.
    middle, half, second, third, nf, nb, rgb, gap, error, foreground = o.split((1, 1, 1, 1, 3, 3, 3, 1, 1, 1), 1)
    half = functional.softplus(half - 1)
    front, back = middle - half, middle + half
    second = front + 2 * half * torch.sigmoid(second - 1)
    third = back - 2 * half * torch.sigmoid(third - 1)
    toward = o.new_tensor([0, 0, 0.3])[:, None, None]
    return Reading(
        layers=torch.cat([front, second, third, back], 1),
        front_normal=functional.normalize(nf - toward, dim=1),
        back_normal=functional.normalize(nb + toward, dim=1),
        back_rgb=torch.sigmoid(rgb),
        gap=gap[:, 0],
        log_error=error[:, 0].clamp(-3, 3) - 2.5,
        foreground=foreground[:, 0],
        up=functional.normalize(pose[:, :3] + pose.new_tensor([0, -0.95, -0.3]), dim=1),
        tan_half_fov=_USUAL_TAN * torch.exp(pose[:, 3].clamp(-2, 2)),
    )
