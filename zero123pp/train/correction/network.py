"""The network that corrects a fitted surface as a picture shows it: a small U-net (Ronneberger et al. 2015)."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from zero123pp.recon.fitting import LOOK_CHANNELS, LOOK_COUNT

_WIDTHS = (24, 40, 64, 96, 128)
"""Channels at the picture's size and at each half of the one before."""
MULTIPLE = 2 ** (len(_WIDTHS) - 1)
"""Sides of pictures are multiples of this."""
_BRANCH = 0.2
"""Of the usual scale, that of what a residual block adds at first: without normalisations, sums must not grow."""
_USUAL_LOG_ERROR, _USUAL_LOG_OFFSET_ERROR = -1.0, -0.7


class Reading(NamedTuple):
    """What the network says of a batch."""

    normal: torch.Tensor
    """(B, 3, H, W) unit, in the camera's axes: x right, y down, z forward."""
    log_error: torch.Tensor
    """(B, H, W) logarithm of the expected length of the difference to the true normal."""
    offset: torch.Tensor
    """(B, H, W) depth of the true surface less that of the fitted one, voxels."""
    log_offset_error: torch.Tensor
    """(B, H, W) logarithm of its expected error."""


class _Residual(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, after, 3, padding=1) for width in (before, after))
        self.past = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        for convolution in (self.first, self.second, self.past):
            if isinstance(convolution, nn.Conv2d):
                nn.init.kaiming_normal_(
                    convolution.weight, nonlinearity="relu" if convolution is self.first else "linear"
                )
                nn.init.zeros_(convolution.bias)
        with torch.no_grad():
            self.second.weight.mul_(_BRANCH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.past(x) + self.second(functional.relu(self.first(x))))


class CorrectionNet(nn.Module):
    """Inputs (B, C, H, W), see `zero123pp.recon.fitting.correction.inputs`, to a `Reading`; `MULTIPLE` divides H and W.

    It begins with the smoothed normals that it is shown and no move. It has no normalisations: what it says of a place
    depends on its surroundings alone.
    """

    def __init__(self) -> None:
        super().__init__()
        pairs = list(pairwise(_WIDTHS))
        self.first = nn.Conv2d(LOOK_COUNT, _WIDTHS[0], 3, padding=1)
        self.at = nn.ModuleList([_Residual(_WIDTHS[0], _WIDTHS[0]), *(_Residual(*pair) for pair in pairs)])
        self.back = nn.ModuleList([_Residual(fine + coarse, fine) for fine, coarse in pairs])
        self.out = nn.Conv2d(_WIDTHS[0], 6, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor) -> Reading:
        """Read pictures."""
        y, finer = functional.relu(self.first(x)), []
        for level, block in enumerate(self.at):
            y = block(functional.max_pool2d(y, 2) if level else y)
            finer.append(y)
        for level in range(len(self.back) - 1, -1, -1):
            coarse = functional.interpolate(y, scale_factor=2.0, mode="nearest")
            y = self.back[level](torch.cat([coarse, finer[level]], 1))
        out = self.out(y).float()
        normal = functional.normalize(x[:, LOOK_CHANNELS["smoothed"]].float() + out[:, :3], dim=1, eps=1e-3)
        return Reading(normal, out[:, 3] + _USUAL_LOG_ERROR, out[:, 4], out[:, 5] + _USUAL_LOG_OFFSET_ERROR)
