"""A distance in the features of EfficientNet-Lite0, whose ImageNet weights a package brings. It is not LPIPS.

At five depths (strides 2 to 32) the features of both pictures get unit length over their channels; the distance is half
the mean squared difference, that is one minus the mean cosine, averaged over the depths. Nothing in it is fitted to
human judgement.
"""

from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features.common import Remembered, as_batch, unit


class EffLite0:
    """A `zero123pp.pipelines.evaluation.features.FeatureDistance`."""

    name = "EffLite0"
    about = "EffLite0: mean cosine distance of EfficientNet-Lite0 features at five depths; not LPIPS."

    def __init__(self, tensors: dict[str, Any]) -> None:
        """BadInput when the weights are of another network."""
        from zero123pp.train import Encoder

        self._truth = Remembered(self.features)
        self._encoder = Encoder()
        self._encoder.load(tensors)

    def __call__(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """See `zero123pp.pipelines.evaluation.features.FeatureDistance`; pictures of at least 32 px."""
        if picture.shape != truth.shape or min(picture.shape[:2]) < 32:
            raise BadInput(f"EffLite0 compares equal sizes from 32 px on; got {picture.shape[:2]}, {truth.shape[:2]}")
        pairs = zip(self.features(picture), self._truth.of(truth))
        distances = [(unit(a) - unit(b)).pow(2).sum(1).mean() / 2 for a, b in pairs]
        return float(sum(distances) / len(distances))

    def features(self, picture: np.ndarray) -> list[Any]:
        """What is compared: (1, C, H, W) of each depth."""
        import torch

        with torch.inference_mode():
            return self._encoder((as_batch(picture) * 255 - 127) / 128)
