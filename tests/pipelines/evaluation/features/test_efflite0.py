"""The distance in EfficientNet-Lite0's features: its laws, and whose weights it takes."""

import numpy as np
import pytest
from feature_weights import alexnet, picture

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features.efflite0 import EffLite0

torch = pytest.importorskip("torch")
efficientnet = pytest.importorskip("efficientnet")


def test_efflite0():
    distance = EffLite0(efficientnet.random_tensors())
    a, b = picture(0), picture(1)
    assert [tuple(f.shape[1:]) for f in distance.features(a)] == [
        (16, 48, 32), (24, 24, 16), (40, 12, 8), (112, 6, 4), (320, 3, 2),
    ]  # fmt: skip
    assert distance(a, a) == 0 and 0 < distance(a, b) < 2
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-6)
    with pytest.raises(BadInput):
        distance(a, picture(1, (64, 64)))
    with pytest.raises(BadInput, match="another network"):
        EffLite0(alexnet())


def test_its_features_are_those_of_colours_as_the_network_wants_them():
    weights, x = efficientnet.random_tensors(), picture(3, (45, 38))
    scaled = torch.from_numpy((x * 255 - 127) / 128).float().permute(2, 0, 1)[None]
    for found, expected in zip(EffLite0(weights).features(x), efficientnet.features(weights, scaled), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
