"""Laws of reference attention."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor

from zero123pp.diffusion.reference import (
    ReferenceAttention,
    install_reference_attention,
    read_reference,
    write_reference,
)


@pytest.fixture(scope="module")
def unet(tiny):
    return UNet2DConditionModel.from_pretrained(tiny / "unet", torch_dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def inputs():
    g = torch.Generator().manual_seed(0)
    sample, ref = torch.randn(2, 4, 24, 16, generator=g), torch.randn(2, 4, 16, 16, generator=g)
    return sample, ref, torch.tensor(499.0), torch.randn(2, 77, 32, generator=g)


@torch.no_grad()
def test_the_unet_is_unchanged_outside_of_the_two_passes(unet, inputs):
    sample, _, t, states = inputs
    plain = UNet2DConditionModel.from_config(unet.config).eval()
    plain.load_state_dict(unet.state_dict())
    install_reference_attention(unet)
    assert torch.equal(plain(sample, t, states).sample, unet(sample, t, states).sample)


def test_install_is_idempotent_and_heals(unet):
    install_reference_attention(unet)
    first = unet.attn_processors
    install_reference_attention(unet)
    assert unet.attn_processors == first
    unet.set_attn_processor(AttnProcessor())
    install_reference_attention(unet)
    assert all(isinstance(p, ReferenceAttention) for p in unet.attn_processors.values())
    named = [p.name for p in unet.attn_processors.values() if p.name]
    assert len(named) == len(set(named)) == 16 and all("attn1" in name for name in named)


@torch.no_grad()
def test_reading_attends_to_both_with_the_same_projections(inputs):
    """Against the attention formula, written out."""
    torch.manual_seed(0)
    attn = Attention(query_dim=24, heads=3, dim_head=8).eval()
    attn.set_processor(ReferenceAttention("layer"))
    own, kept = torch.randn(2, 10, 24), torch.randn(2, 6, 24)
    got = attn(own, read_tokens={"layer": kept})
    both = torch.cat([own, kept], 1)
    q, k, v = (
        linear(x).unflatten(-1, (3, 8)).transpose(1, 2)
        for linear, x in ((attn.to_q, own), (attn.to_k, both), (attn.to_v, both))
    )
    weights = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    want = attn.to_out[0]((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    # As attention over twice the same tokens is attention over them once:
    torch.testing.assert_close(attn(own, read_tokens={"layer": own}), attn(own), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_halves_of_the_batch_do_not_mix(unet, inputs):
    install_reference_attention(unet)
    sample, ref, t, states = inputs
    both = read_reference(unet, sample, t, states, write_reference(unet, ref, t, states))
    for i in range(2):
        one = (x[i : i + 1] for x in (sample, ref, states))
        s, r, e = one
        alone = read_reference(unet, s, t, e, write_reference(unet, r, t, e))
        np.testing.assert_allclose(alone.numpy(), both[i : i + 1].numpy(), atol=2e-5)


def test_gradients_flow_through_the_write_pass(unet, inputs):
    """Training needs them; checked against a finite difference."""
    install_reference_attention(unet)
    sample, ref, t, states = (x[:1] if x.ndim else x for x in inputs)
    ref = ref.clone().requires_grad_()

    def value(r):
        return read_reference(unet, sample, t, states, write_reference(unet, r, t, states)).double().square().sum()

    (gradient,) = torch.autograd.grad(value(ref), ref)
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        slope = (value(ref + step) - value(ref - step)) / (2 * step.norm())
    assert float(gradient.norm()) > 1e-3
    torch.testing.assert_close(slope.float(), gradient.norm(), rtol=2e-2, atol=0)


@torch.no_grad()
def test_nothing_is_kept_between_calls(unet, inputs):
    install_reference_attention(unet)
    sample, ref, t, states = inputs
    tokens = write_reference(unet, ref, t, states)
    first = read_reference(unet, sample, t, states, tokens)
    write_reference(unet, ref * 3, t, states)
    assert torch.equal(read_reference(unet, sample, t, states, tokens), first)


@torch.no_grad()
def test_the_released_size(inputs):
    """The UNet of the released checkpoints, as shapes only: 640x960 px sheet, 512 px reference."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=96,
            attention_head_dim=(5, 10, 20, 20),
            cross_attention_dim=1024,
            use_linear_projection=True,
        )
        assert sum(p.numel() for p in unet.parameters()) == 865_910_724
        install_reference_attention(unet)
        states, t = torch.empty(2, 77, 1024), torch.tensor(999.0)
        tokens = write_reference(unet, torch.empty(2, 4, 64, 64), t, states)
        assert [tuple(x.shape) for x in tokens.values()].count((2, 4096, 320)) == 5
        assert sorted({x.shape[1] for x in tokens.values()}) == [64, 256, 1024, 4096] and len(tokens) == 16
        v = read_reference(unet, torch.empty(2, 4, 120, 80), t, states, tokens)
    assert tuple(v.shape) == (2, 4, 120, 80)
