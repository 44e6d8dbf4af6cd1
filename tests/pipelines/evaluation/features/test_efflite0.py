"""Features of EfficientNet-Lite0: its layers by hand."""

import numpy as np
import pytest
from feature_weights import alexnet, picture, random_weights

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features.efflite0 import EffLite0

torch = pytest.importorskip("torch")


def efflite_weights() -> dict:
    from zero123pp.pipelines.evaluation.features.efflite0 import _BLOCKS

    shapes, before = {"_conv_stem": (32, 3, 3, 3)}, 32
    norms = {"_bn0": 32}
    for n, (kernel, _, expansion, channels) in enumerate(_BLOCKS):
        wide = before * expansion
        if expansion > 1:
            shapes[f"_blocks.{n}._expand_conv"], norms[f"_blocks.{n}._bn0"] = (wide, before, 1, 1), wide
        shapes[f"_blocks.{n}._depthwise_conv"], norms[f"_blocks.{n}._bn1"] = (wide, 1, kernel, kernel), wide
        shapes[f"_blocks.{n}._project_conv"], norms[f"_blocks.{n}._bn2"] = (channels, wide, 1, 1), channels
        before = channels
    tensors = random_weights({f"{name}.weight": shape for name, shape in shapes.items()})
    for name, count in norms.items():
        tensors |= {f"{name}.{part}": torch.rand(count) + 0.5 for part in ("weight", "running_var")}
        tensors |= {f"{name}.{part}": 0.1 * torch.randn(count) for part in ("bias", "running_mean")}
    return tensors


def test_efflite0():
    distance = EffLite0(efflite_weights())
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


def test_efflite0_stem_is_the_published_one():
    """Normalisation, SAME padding, batch norm with eps 1e-3 and ReLU6, by hand on one output pixel."""
    weights = efflite_weights()
    distance = EffLite0(weights)
    x = picture(3, (32, 32))
    scaled = np.pad((x * 255 - 127) / 128, ((0, 1), (0, 1), (0, 0)))  # even sides: all padding at right and bottom
    patch = scaled[10:13, 30:33].transpose(2, 0, 1)  # output row 5, the last column: over the padding
    kernel = weights["_conv_stem.weight"].numpy()
    value = (kernel * patch).sum((1, 2, 3))
    gain, shift, mean, var = (weights[f"_bn0.{p}"].numpy() for p in ("weight", "bias", "running_mean", "running_var"))
    expected = np.clip((value - mean) / np.sqrt(var + 1e-3) * gain + shift, 0, 6)
    from zero123pp.pipelines.evaluation.features import as_batch
    from zero123pp.pipelines.evaluation.features.efflite0 import _convolved

    found = _convolved((as_batch(x) * 255 - 127) / 128, distance._stem, 2).clamp(0, 6)[0, :, 5, 15].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
