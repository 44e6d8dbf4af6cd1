"""The transformer's feed-forward layer, some rows at a time.

Its inner layer is eight times as wide as the stream: at full size 98 MB for a pair of sheets, which a call at once
writes to fresh memory and reads back twice. In blocks it stays in the cache. Every row of the result is what it was.
"""

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import FeedForward

from zero123pp.diffusion.cpu.threads import as_many_as_torch, bits

_ROWS = 1024
"""Rows of a block: 5 MB of inner activations where the rows are most, at full size."""


def has_blocks(layer: torch.nn.Module) -> bool:
    """Whether `BlockedFeedForward` can compute ``layer``: one with GEGLU and plain linear maps, on the processor."""
    if not isinstance(layer, FeedForward):
        return False
    first, last = layer.net[0], layer.net[2]
    plain = type(first) is GEGLU and type(first.proj) is torch.nn.Linear and type(last) is torch.nn.Linear
    return plain and last.bias is not None and last.weight.device.type == "cpu"


class BlockedFeedForward:
    """The ``forward`` of one feed-forward layer, without gradients."""

    def __init__(self, layer: FeedForward):
        self._layer = layer

    def __call__(self, tokens: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """(..., channels) to the same shape."""
        layer = self._layer
        if torch.is_grad_enabled() or layer.training:
            return type(layer).forward(layer, tokens)
        first, last = layer.net[0].proj, layer.net[2]
        rows = tokens.reshape(-1, tokens.shape[-1])
        result = rows.new_empty(len(rows), last.out_features)
        for block, target in zip(rows.split(_ROWS), result.split(_ROWS)):
            torch.addmm(last.bias, _gate(first(block)), last.weight.t(), out=target)
        return result.view(*tokens.shape[:-1], -1)


def _gate(projected: torch.Tensor) -> torch.Tensor:
    """GEGLU (Shazeer 2020): ``h gelu(g)`` of (rows, 2 n) that hold h and g next to each other."""
    if projected.dtype != torch.bfloat16:
        hidden, gate = projected.chunk(2, dim=-1)
        return hidden * torch.nn.functional.gelu(gate)
    from zero123pp.diffusion.cpu import feed_forward_kernels as kernels

    result = projected.new_empty(len(projected), projected.shape[1] // 2)
    with as_many_as_torch():
        kernels.gate(bits(projected), bits(result))
    return result
