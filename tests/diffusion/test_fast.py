"""The faster means on a processor against what they stand for."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import FeedForward

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion import fast, reference
from zero123pp.diffusion.cpu import attention, feed_forward, winograd
from zero123pp.diffusion.cpu.processor import has_bfloat16
from zero123pp.errors import BadInput

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16 products")


@pytest.fixture(scope="module")
def unet(tiny):
    return UNet2DConditionModel.from_pretrained(tiny / "unet", torch_dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def inputs():
    g = torch.Generator().manual_seed(0)
    sample, ref = torch.randn(2, 4, 24, 16, generator=g), torch.randn(2, 4, 16, 16, generator=g)
    return sample, ref, torch.tensor(499.0), torch.randn(2, 77, 32, generator=g)


def relative(got, want):
    return float((got.double() - want.double()).norm() / want.double().norm())


@pytest.mark.parametrize("size", [(2, 2), (7, 5), (24, 16), (1, 9), (33, 70)])
@pytest.mark.parametrize(("inputs_", "outputs"), [(3, 5), (16, 8)])
def test_winograd_is_the_convolution(size, inputs_, outputs, monkeypatch):
    monkeypatch.setattr(winograd, "_BLOCK_BYTES", 2**14)  # several bands
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, inputs_, *size, generator=g)
    weight, bias = torch.randn(outputs, inputs_, 3, 3, generator=g), torch.randn(outputs, generator=g)
    for b in (bias, None):
        want = torch.nn.functional.conv2d(x.double(), weight.double(), None if b is None else b.double(), padding=1)
        got = winograd.convolve(x, winograd.transform_weight(weight), b)
        assert got.shape == want.shape and got.is_contiguous(memory_format=torch.channels_last)
        assert relative(got, want) < 3e-6


@pytest.mark.parametrize("size", [(2, 2), (7, 5), (20, 14), (1, 9)])
def test_winograd_in_bfloat16_stays_within_its_rounding(size, monkeypatch):
    g = torch.Generator().manual_seed(0)
    x, weight = torch.randn(3, 64, *size, generator=g).bfloat16(), torch.randn(48, 64, 3, 3, generator=g).bfloat16()
    bias = torch.randn(48, generator=g).bfloat16()
    transformed, results = winograd.transform_weight(weight), []
    for block_bytes in (2**13, 2**20):  # bands of a picture, and several pictures in a band
        monkeypatch.setattr(winograd, "_BLOCK_BYTES", block_bytes)
        for b in (bias, None):
            want = torch.nn.functional.conv2d(x.double(), weight.double(), None if b is None else b.double(), padding=1)
            got = winograd.convolve(x, transformed, b)
            assert got.shape == want.shape and got.is_contiguous(memory_format=torch.channels_last)
            assert relative(got, want) < 0.012
            results.append(got)
    for few, many in zip(results[:2], results[2:]):
        torch.testing.assert_close(few.float(), many.float(), rtol=0.01, atol=0.01)  # products of another size


@needs_bfloat16
@pytest.mark.parametrize(("queries", "keys", "heads"), [(600, 856, 2), (515, 513, 1), (97, 2800, 3), (5, 60000, 1)])
def test_the_kernel_is_attention(queries, keys, heads):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 64 * heads, generator=g).bfloat16() for n in (queries, keys, keys))
    q = q * 3
    got = attention.attend(q, k, v, heads)
    assert attention._kernel_takes(q, k, heads) and got.dtype == torch.bfloat16
    split = (x.double().unflatten(-1, (heads, 64)).transpose(1, 2) for x in (q, k, v))
    want = torch.nn.functional.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
    assert relative(got.float(), want) < 0.004
    assert torch.equal(got, attention.attend(q, k, v, heads))


@needs_bfloat16
@pytest.mark.parametrize("shift", [-400.0, 400.0])
def test_the_kernel_takes_scores_of_any_size(shift):
    """Softmax does not change when all scores move; a sum of exponentials without a maximum would overflow."""
    g = torch.Generator().manual_seed(0)
    q = torch.cat([torch.full((1, 520, 1), 64.0), torch.randn(1, 520, 63, generator=g)], -1).bfloat16()
    k = torch.cat([torch.full((1, 520, 1), shift / 8), torch.randn(1, 520, 63, generator=g)], -1).bfloat16()
    v = torch.randn(1, 520, 64, generator=g).bfloat16()
    want = torch.nn.functional.scaled_dot_product_attention(*(x.double()[:, None] for x in (q, k, v)))[:, 0]
    got = attention.attend(q, k, v, 1)
    assert torch.isfinite(got).all() and relative(got.float(), want) < 0.004


@needs_bfloat16
@pytest.mark.parametrize("keys", [64, 65, 95, 128, 191, 257])
def test_keys_are_paired_with_their_own_weights(keys):
    """Values that are one-hot bring out each key's weight; panels, groups of panels and the padding meet here."""
    g = torch.Generator().manual_seed(0)
    q, k = torch.randn(1, 2**18 // keys + 1, 64, generator=g), torch.randn(1, keys, 64, generator=g)
    q, k = q.bfloat16(), k.bfloat16()
    weights = (q[0].double() @ k[0].double().T / 8).softmax(-1)
    for first in range(0, keys, 64):
        v = torch.zeros(1, keys, 64)
        count = min(64, keys - first)
        v[0, torch.arange(first, first + count), torch.arange(count)] = 1
        got = attention.attend(q, k, v.bfloat16(), 1)[0, :, :count]
        assert relative(got.float(), weights[:, first : first + count]) < 0.004


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
    got = feed_forward._gate(torch.cat([torch.full_like(gate, 3.0), gate], 1)).double()
    want = 3 * torch.nn.functional.gelu(gate.double())
    torch.testing.assert_close(got, want, rtol=0.004, atol=6e-6)


@torch.no_grad()
def test_both_passes_agree_with_the_reference(unet, inputs, monkeypatch):
    monkeypatch.setattr(fast, "_MIN_CHANNELS", {torch.float32: 8})  # the tiny network has few channels
    sample, ref, t, states = inputs
    reference.install_reference_attention(unet)
    tokens = reference.write_reference(unet, ref, t, states)
    want = reference.read_reference(unet, sample, t, states, tokens)
    fast.accelerate(unet)
    kept = fast.write_reference(unet, ref, t, states)
    assert set(kept) == set(tokens)
    torch.testing.assert_close(fast.read_reference(unet, sample, t, states, kept), want, rtol=0, atol=2e-5)
    fast.restore(unet)
    reference.install_reference_attention(unet)
    again = reference.read_reference(unet, sample, t, states, tokens)
    torch.testing.assert_close(again, want, rtol=0, atol=2e-5)  # its layers keep the other memory format


@torch.no_grad()
def test_nothing_after_the_last_kept_layer_runs(unet, inputs):
    fast.accelerate(unet)
    ran = []
    hooks = [m.register_forward_pre_hook(lambda m, _a: ran.append(m)) for m in (unet.conv_out, unet.conv_norm_out)]
    fast.write_reference(unet, *inputs[1:])
    for hook in hooks:
        hook.remove()
    assert not ran


@torch.no_grad()
def test_new_weights_are_seen(unet, monkeypatch):
    monkeypatch.setattr(fast, "_MIN_CHANNELS", {torch.float32: 8})
    fast.accelerate(unet)
    conv, x = unet.mid_block.resnets[0].conv1, torch.randn(1, 24, 6, 4)
    for factor in (1.0, 0.5):
        conv.weight.mul_(factor)
        want = torch.nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
        torch.testing.assert_close(conv(x), want, rtol=1e-4, atol=1e-4)
    conv.weight.mul_(2.0)


def test_gradients_take_the_plain_way(unet, monkeypatch):
    monkeypatch.setattr(fast, "_MIN_CHANNELS", {torch.float32: 8})
    fast.accelerate(unet)
    conv, x = unet.mid_block.resnets[0].conv1, torch.randn(1, 24, 6, 4, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_accelerating_keeps_the_names_of_the_weights(tiny, tmp_path):
    pipe = Zero123PlusPipeline.from_pretrained(tiny)
    names = list(pipe.unet.state_dict())
    assert pipe.accelerate() is pipe
    fast.accelerate(pipe.unet)
    assert list(pipe.unet.state_dict()) == names
    pipe.save_pretrained(tmp_path / "saved")
    saved = Zero123PlusPipeline.from_pretrained(tmp_path / "saved").unet.state_dict()
    assert all(torch.equal(saved[name], weight) for name, weight in pipe.unet.state_dict().items())


def test_only_a_processor_is_accelerated(tiny):
    pipe = Zero123PlusPipeline.from_pretrained(tiny)
    pipe.unet.to("meta")
    with pytest.raises(BadInput, match="meta"):
        pipe.accelerate()


@pytest.mark.parametrize("name", ["base_0", "base_1", "base_1_g1", "base_1_linspace", "depth_0", "depth_1", "normal_1"])
def test_an_accelerated_call_gives_the_references_numbers(name, case, tiny, tiny_controlnet, monkeypatch):
    """The golden latents once more, through keys and values, early end and Winograd in single precision."""
    from zero123pp.diffusion import schedule

    monkeypatch.setattr(fast, "_MIN_CHANNELS", {torch.float32: 8})
    case = case(name)
    pipe = Zero123PlusPipeline.from_pretrained(tiny, controlnet=tiny_controlnet if case.meta["controlnet"] else None)
    pipe.set_progress_bar_config(disable=True)
    if case.meta["trailing"]:
        pipe.scheduler = schedule.trailing_euler_ancestral(pipe.scheduler)
    torch.manual_seed(case.meta["seed_global"])
    generator = torch.Generator("cpu").manual_seed(case.meta["seed_generator"])
    steps = []
    pipe.accelerate()(
        generator=generator,
        legacy_rng=True,
        callback_on_step_end=lambda _p, _i, _t, tensors: steps.append(tensors["latents"].numpy()),
        **case.arguments,
    )
    np.testing.assert_allclose(np.stack(steps), case.arrays["latents_out"], rtol=0, atol=1e-4)


@needs_bfloat16
def test_the_fast_way_in_bfloat16_stays_near(tiny, picture):
    wanted, got = (Zero123PlusPipeline.from_pretrained(tiny, torch_dtype=t) for t in (torch.float32, torch.bfloat16))
    got.accelerate()
    small = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}
    results = []
    for pipe in (wanted, got):
        pipe.set_progress_bar_config(disable=True)
        results.append(pipe(picture, generator=torch.Generator().manual_seed(0), **small).images)
    assert relative(results[1], results[0]) < 0.05
