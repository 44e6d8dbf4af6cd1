"""Linear layers in 8 bit: near what they stand for, and only where they are asked for."""

import pytest
import torch
from torch.nn.functional import linear

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion.quantize import Int8Linear, has_int8_products, is_quantized, quantize_linear
from zero123pp.errors import BadInput

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def relative(got, want):
    return float((got - want).norm() / want.norm())


@torch.no_grad()
def test_a_layer_is_that_of_rounded_numbers():
    """Written out: weights in steps of a 127th of their row's largest, inputs in steps of their range."""
    g = torch.Generator().manual_seed(0)
    plain = torch.nn.Linear(64, 32)
    plain.weight.normal_(generator=g)
    rows = torch.randn(5, 7, 64, generator=g)
    got = Int8Linear(plain)(rows)
    step = plain.weight.abs().amax(1, keepdim=True) / 127
    weight = (plain.weight / step).round() * step
    bits = 7 if Int8Linear(plain)._is_short else 8
    grain = float(rows.max() - rows.min()) / (2**bits - 1)
    zero = round(-float(rows.min()) / grain)
    inputs = ((rows / grain).round() + zero).clamp(0, 2**bits - 1).sub(zero) * grain
    assert relative(got, linear(inputs, weight, plain.bias)) < 0.005
    assert 1e-4 < relative(got, plain(rows)) < 0.02


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
def test_the_sheet_stays_near(fast, pipe, picture):
    if fast:
        pipe.accelerate()
    want = pipe(picture, generator=torch.Generator().manual_seed(0), **SMALL).images
    got = pipe.quantize()(picture, generator=torch.Generator().manual_seed(0), **SMALL).images
    layers = [m for m in pipe.unet.modules() if isinstance(m, Int8Linear)]
    blocks = [m for m in pipe.unet.modules() if type(m).__name__ == "BasicTransformerBlock"]
    assert len(layers) == 12 * len(blocks)  # 4 of each attention, 2 of the feed-forward layer, and in and out
    assert 0 < relative(got, want) < (0.15 if has_int8_products() else 0.3)  # the others round inputs to 7 bits


def test_what_cannot_be_quantized(tiny, pipe, tmp_path):
    half = Zero123PlusPipeline.from_pretrained(tiny, torch_dtype=torch.bfloat16)
    with pytest.raises(BadInput, match="bfloat16 on cpu"):
        half.quantize()
    with pytest.raises(BadInput, match="on meta"):
        quantize_linear(half.unet.to("meta"))
    assert not is_quantized(pipe.unet)
    with pytest.raises(BadInput, match="cannot be saved"):
        pipe.quantize().save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
