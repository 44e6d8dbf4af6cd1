"""Which feature distances can be measured here.

LPIPS is measured when its weights are given; its backbones are in no package. What ships in one is EfficientNet-Lite0:
a distance in its features goes by its own name, because numbers of different networks do not compare.
"""

from dataclasses import dataclass
from importlib.util import find_spec

from zero123pp.pipelines.evaluation.features.common import FeatureDistance, read_weights


@dataclass(frozen=True)
class Weights:
    """Where weights come from."""

    lpips: tuple[str, ...] = ()
    """Files that together hold an AlexNet or VGG-16 and LPIPS's linear layers."""
    efflite0: str | None = None
    """EfficientNet-Lite0's file; None looks for the package that brings it."""


def feature_distances(weights: Weights = Weights()) -> list[FeatureDistance]:
    """All distances whose weights are here.

    Raises:
        BadInput: a file that was named is missing or holds other weights.
        MissingBackend: weights were named but torch is not installed.
    """
    from zero123pp.pipelines.evaluation.features.efflite0 import EffLite0
    from zero123pp.pipelines.evaluation.features.lpips import Lpips

    found: list[FeatureDistance] = []
    if weights.lpips:
        found.append(Lpips(read_weights(*weights.lpips)))
    if weights.efflite0:
        found.append(EffLite0(read_weights(weights.efflite0)))
    elif find_spec("torch") is not None:
        from zero123pp.train import packaged_weights

        file = packaged_weights()
        if file is not None:
            found.append(EffLite0(read_weights(file)))
    return found
