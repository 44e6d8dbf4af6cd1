"""Winograd's convolution against the convolution."""

import pytest
import torch

from zero123pp.diffusion.cpu import winograd


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
