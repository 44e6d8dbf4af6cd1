"""The faster means on a processor against what they stand for."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion import fast, reference
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
