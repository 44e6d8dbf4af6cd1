"""The cutout network: a U-net over a pretrained encoder that gives one alpha logit a pixel."""

import torch
from torch import nn
from torch.nn import functional

from zero123pp.train import ENCODER_CHANNELS, Encoder


def _norm(channels: int) -> nn.GroupNorm:
    # Group rather than batch norm: its backward pass in bfloat16 is several times faster on a CPU.
    return nn.GroupNorm(8, channels)


class Convolution(nn.Sequential):
    """3x3 convolution, normalised, with SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), _norm(outputs), nn.SiLU())


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip. Plain ones: depthwise convolutions train slower than these on a CPU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), _norm(channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        return functional.silu(x + self.body(x))


class GlobalAttention(nn.Module):
    """Self-attention over the coarsest cells: what is object is decided by comparison with the whole picture."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.to_qkv, self.to_out = (
            _norm(channels),
            nn.Linear(channels, 3 * channels),
            nn.Linear(channels, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, HW, C)
        qkv = self.to_qkv(tokens).reshape(batch, height * width, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, HW, C / heads) each
        # Written out: the fused attention's backward pass is the slow path of a CPU in bfloat16.
        weights = (query @ key.transpose(-1, -2) * (channels // self.heads) ** -0.5).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, height * width, channels)
        return x + self.to_out(mixed).transpose(1, 2).reshape(batch, channels, height, width)


class MattingNetwork(nn.Module):
    """EfficientNet-Lite0 as the encoder, self-attention at 1/32 of the picture, a decoder back to its full size.

    Args:
        widths: channels of the decoder at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture; multiples of 8.
    """

    def __init__(self, widths: tuple[int, int, int, int, int] = (32, 48, 64, 96, 128)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        x2, x4, x8, x16, x32 = ENCODER_CHANNELS
        self.encoder = Encoder()
        self.at32 = nn.Sequential(nn.Conv2d(x32, e, 1), GlobalAttention(e), Residual(e))
        self.up16 = nn.Sequential(Convolution(e + x16, d), Residual(d))
        self.up8 = nn.Sequential(Convolution(d + x8, c), Residual(c))
        self.up4 = nn.Sequential(Convolution(c + x4, b), Residual(b))
        self.up2 = Convolution(b + x2 + 12, a)
        self.head = nn.Sequential(nn.Conv2d(a, 4, 3, 1, 1), nn.PixelShuffle(2))
        self.coarse_head = nn.Conv2d(c, 1, 1)

    @classmethod
    def pretrained(cls) -> "MattingNetwork":
        """With ImageNet's weights in its encoder."""
        network = cls()
        network.encoder.load_imagenet()
        return network

    def forward(self, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Colours (B, 3, H, W) in [0, 1], sides multiples of 32, to alpha logits at H x W and at H/8 x W/8."""
        x2, x4, x8, x16, x32 = self.encoder((rgb * 255 - 127) / 128)
        y = self.at32(x32)
        y = self.up16(_joined(y, x16))
        y = coarse = self.up8(_joined(y, x8))
        y = self.up4(_joined(y, x4))
        y = self.up2(torch.cat([_joined(y, x2), functional.pixel_unshuffle(rgb - 0.5, 2)], 1))
        return self.head(y), self.coarse_head(coarse)


def _joined(coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    return torch.cat([functional.interpolate(coarse, scale_factor=2.0, mode="nearest"), fine], dim=1)
