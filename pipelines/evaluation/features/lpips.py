"""LPIPS: learned perceptual distance (Zhang et al., CVPR 2018, equation 1), version 0.1, with AlexNet or VGG-16."""

import re
from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features.common import Remembered, as_batch, need, unit

_MEAN, _SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of the input, which lies in [-1, 1]."""

# Layers: ("conv", index in torchvision's ``features``, channels in, out, kernel, stride, padding), ("pool", kernel),
# "tap" after the ReLU whose output is compared.
_ALEX = (
    ("conv", 0, 3, 64, 11, 4, 2), "tap", ("pool", 3),
    ("conv", 3, 64, 192, 5, 1, 2), "tap", ("pool", 3),
    ("conv", 6, 192, 384, 3, 1, 1), "tap",
    ("conv", 8, 384, 256, 3, 1, 1), "tap",
    ("conv", 10, 256, 256, 3, 1, 1), "tap",
)  # fmt: skip
_VGG = (
    ("conv", 0, 3, 64, 3, 1, 1), ("conv", 2, 64, 64, 3, 1, 1), "tap", ("pool", 2),
    ("conv", 5, 64, 128, 3, 1, 1), ("conv", 7, 128, 128, 3, 1, 1), "tap", ("pool", 2),
    ("conv", 10, 128, 256, 3, 1, 1), ("conv", 12, 256, 256, 3, 1, 1), ("conv", 14, 256, 256, 3, 1, 1), "tap",
    ("pool", 2), ("conv", 17, 256, 512, 3, 1, 1), ("conv", 19, 512, 512, 3, 1, 1), ("conv", 21, 512, 512, 3, 1, 1),
    "tap", ("pool", 2),
    ("conv", 24, 512, 512, 3, 1, 1), ("conv", 26, 512, 512, 3, 1, 1), ("conv", 28, 512, 512, 3, 1, 1), "tap",
)  # fmt: skip

_BACKBONE = re.compile(r"(?:features|net\.slice\d+)\.(\d+)\.(weight|bias)")
_LINEAR = re.compile(r"lin(\d)\.(?:model\.\d+\.)?weight")


class Lpips:
    """A `zero123pp.pipelines.evaluation.features.FeatureDistance`."""

    def __init__(self, tensors: dict[str, Any]) -> None:
        """Reads torchvision's names of a backbone (or LPIPS's own) and LPIPS's names of the linear layers.

        Raises:
            BadInput: another network, or no linear layers: without them the distance is no LPIPS.
        """
        named = {f"{m[1]}.{m[2]}": tensor for name, tensor in tensors.items() if (m := _BACKBONE.fullmatch(name))}
        if "0.weight" not in named:
            raise BadInput("the LPIPS weights have no features.0.weight; give those of torchvision's AlexNet or VGG-16")
        network = "vgg" if named["0.weight"].shape[-1] == 3 else "alex"
        self._layers, last, self._heads = [], 0, []
        self._truth = Remembered(self.features)
        heads = {int(m[1]): name for name in tensors if (m := _LINEAR.fullmatch(name))}
        for layer in _VGG if network == "vgg" else _ALEX:
            if layer[0] == "conv":
                _, index, before, last, kernel, stride, padding = layer
                weight = need(named, f"{index}.weight", (last, before, kernel, kernel))
                self._layers.append(("conv", weight, need(named, f"{index}.bias", (last,)), stride, padding))
            elif layer == "tap":
                number = len(self._heads)
                if number not in heads:
                    raise BadInput(f"the LPIPS weights have no lin{number}; give the file of its linear layers as well")
                self._heads.append(need(tensors, heads[number], (1, last, 1, 1)))
                self._layers.append(("tap",))
            else:
                self._layers.append(layer)
        self.name = f"LPIPS_{network}"
        self.about = f"{self.name}: LPIPS 0.1 (Zhang et al. 2018) with {'VGG-16' if network == 'vgg' else 'AlexNet'}."

    def __call__(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """See `zero123pp.pipelines.evaluation.features.FeatureDistance`; pictures of at least 64 px."""
        import torch

        if picture.shape != truth.shape or min(picture.shape[:2]) < 64:
            raise BadInput(f"LPIPS compares equal sizes from 64 px on; got {picture.shape[:2]} and {truth.shape[:2]}")
        with torch.inference_mode():
            pairs = zip(self.features(picture), self._truth.of(truth), self._heads)
            return float(sum(((unit(a) - unit(b)).pow(2) * head).sum(1).mean() for a, b, head in pairs))

    def features(self, picture: np.ndarray) -> list[Any]:
        """What is compared: (1, C, H, W) of each tap."""
        import torch
        from torch.nn import functional

        mean, spread = (torch.tensor(values)[None, :, None, None] for values in (_MEAN, _SPREAD))
        x, taps = (2 * as_batch(picture) - 1 - mean) / spread, []
        for layer in self._layers:
            if layer[0] == "conv":
                x = functional.relu(functional.conv2d(x, layer[1], layer[2], layer[3], layer[4]))
            elif layer[0] == "pool":
                x = functional.max_pool2d(x, layer[1], 2)
            else:
                taps.append(x)
        return taps
