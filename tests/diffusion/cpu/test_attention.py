"""Attention on a processor, whole and in slices, against the attention of torch."""

import pytest
import torch

from zero123pp.diffusion.cpu import attention
from zero123pp.diffusion.cpu.processor import has_bfloat16

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16 products")


def relative(got, want):
    return float((got.double() - want.double()).norm() / want.double().norm())


@needs_bfloat16
@pytest.mark.parametrize(("queries", "keys", "heads"), [(600, 856, 2), (515, 513, 1), (97, 2800, 3), (5, 60000, 1)])
def test_the_kernel_is_attention(queries, keys, heads):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 64 * heads, generator=g).bfloat16() for n in (queries, keys, keys))
    q = q * 3
    got = attention.attend(q, k, v, heads)
    # That the kernel ran, not torch, shows nowhere outside.
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


@pytest.mark.parametrize("slice_size", [1, 2, 5])
def test_sliced_attention_is_attention(slice_size):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 24, generator=g) for n in (10, 7, 7))
    want = attention.attend(q, k, v, 3)
    torch.testing.assert_close(attention.attend(q, k, v, 3, slice_size), want, rtol=1e-6, atol=1e-6)
