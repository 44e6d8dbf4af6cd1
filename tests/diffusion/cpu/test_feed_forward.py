"""The feed-forward layers in blocks against the layers."""

import pytest
import torch
from diffusers.models.attention import FeedForward

from zero123pp.diffusion.cpu import feed_forward


def relative(got, want):
    return float((got.double() - want.double()).norm() / want.double().norm())


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_feed_forward_in_blocks_is_the_layer(rows, monkeypatch):
    monkeypatch.setattr(feed_forward, "_ROWS", 16)
    torch.manual_seed(0)
    layer, x = FeedForward(24, activation_fn="geglu").eval(), 2 * torch.randn(2, rows, 24)
    assert feed_forward.has_blocks(layer) and not feed_forward.has_blocks(FeedForward(24, activation_fn="gelu"))
    blocked = feed_forward.BlockedFeedForward(layer)
    with torch.no_grad():
        torch.testing.assert_close(blocked(x), layer(x), rtol=1e-5, atol=1e-6)
    assert blocked(x).requires_grad, "gradients take the plain way"
    want = layer.double()(x.double())
    with torch.no_grad():
        plain = layer.bfloat16()(x.bfloat16())
        assert relative(blocked(x.bfloat16()), want) < 1.2 * relative(plain, want)


def test_the_gate_is_gelu_at_both_ends():
    gate = torch.tensor([-300.0, -20.0, -8.0, -4.0, -1.0, -0.0, 0.0, 1e-3, 1.0, 4.0, 8.0, 300.0]).bfloat16()[:, None]
    # Alone, since the products before it would round its ends away.
    got = feed_forward._gate(torch.cat([torch.full_like(gate, 3.0), gate], 1)).double()
    want = 3 * torch.nn.functional.gelu(gate.double())
    torch.testing.assert_close(got, want, rtol=0.004, atol=6e-6)
