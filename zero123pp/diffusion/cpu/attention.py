"""Softmax attention by the fastest way that the processor has; `scaled_dot_product_attention` is the specification."""

import math

import numpy as np
import torch

from zero123pp.diffusion.cpu.processor import has_bfloat16
from zero123pp.diffusion.cpu.threads import as_many_as_torch, bits

_MIN_SCORES = 2**18
"""Fewer scores a head than this are not worth the packing of the kernel."""


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int, slice_size: int | None = None
) -> torch.Tensor:
    """``softmax(q k^T / sqrt(d)) v`` for every head.

    Args:
        query: (batch, n, heads d).
        key: (batch, m, heads d).
        value: (batch, m, heads d).
        heads: their number.
        slice_size: heads (of all the batch) that are worked on at a time, as diffusers counts them; None for all. Saves
            memory only where torch has no fused kernel and writes the scores out, (n, m) for each head.

    Returns:
        (batch, n, heads d) in the type of the query.
    """
    if _kernel_takes(query, key, heads):
        return _by_kernel(query, key, value, heads)  # writes no scores out
    split = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    dot_product = torch.nn.functional.scaled_dot_product_attention
    if slice_size is None:
        return dot_product(*split).transpose(1, 2).flatten(2)
    parts = zip(*(x.flatten(0, 1).split(slice_size) for x in split))
    attended = torch.cat([dot_product(*(x[None] for x in part))[0] for part in parts])  # (batch heads, n, d)
    return attended.unflatten(0, (len(query), heads)).transpose(1, 2).flatten(2)


def _kernel_takes(query: torch.Tensor, key: torch.Tensor, heads: int) -> bool:
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or not has_bfloat16():
        return False
    long_enough = query.shape[1] * key.shape[1] >= _MIN_SCORES
    return long_enough and query.shape[2] == 64 * heads


def _by_kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int) -> torch.Tensor:
    from zero123pp.diffusion.cpu import attention_kernels as kernels

    panels = (query.shape[0] * heads, -(-key.shape[1] // kernels.HEAD), kernels.HEAD // 2, kernels.HEAD)
    keys, values = np.empty(panels, np.int32), np.empty(panels, np.int32)
    result = torch.empty(query.shape, dtype=torch.float32)
    scale = np.float32(math.log2(math.e) / math.sqrt(kernels.HEAD))
    with as_many_as_torch():
        kernels.pack(bits(key.contiguous()), bits(value.contiguous()), heads, keys, values)
        kernels.attend(bits(query.contiguous()), keys, values, heads, key.shape[1], scale, result.numpy())
    return result.to(query.dtype)
