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
