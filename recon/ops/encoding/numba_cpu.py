"""The hash encoding on a CPU: an autograd function over Numba kernels, many times cheaper than torch's gathers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from zero123pp.recon.ops.encoding import kernels
from zero123pp.recon.ops.encoding.layout import HashLayout

_POINTS_PER_THREAD = 2048
"""Points for which another thread is worth its start."""


def encode(
    points: Tensor, table: Tensor, layout: HashLayout, active: int | None = None, slopes: bool = False
) -> tuple[Tensor, Tensor | None]:
    """See `reference.encode`; the points are constants."""
    active = layout.levels if active is None else min(active, layout.levels)
    points = points.detach().to(table.dtype).contiguous()
    if slopes:
        return _EncodeSlopes.apply(table, points, layout, active)
    return _Encode.apply(table, points, layout, active), None


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table: Tensor, points: Tensor, layout: HashLayout, active: int) -> Tensor:
        ctx.save_for_backward(points)
        ctx.layout, ctx.active, ctx.shape = layout, active, table.shape
        where, entries = points.numpy(), table.detach().contiguous().numpy()
        features = np.empty((len(where), layout.width), where.dtype)
        described = _described(layout, where.dtype)
        _share(lambda span: kernels.forward(where, entries, *described, active, *span, features), _spans(len(where)))
        return torch.from_numpy(features)

    @staticmethod
    def backward(ctx, d_features: Tensor) -> tuple[Tensor | None, ...]:
        where, gradient = ctx.saved_tensors[0].numpy(), torch.zeros(ctx.shape, dtype=d_features.dtype)
        asked, described = d_features.contiguous().numpy(), _described(ctx.layout, where.dtype)
        _share(lambda level: kernels.backward(where, *described, level, asked, gradient.numpy()), range(ctx.active))
        return gradient, None, None, None


class _EncodeSlopes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table: Tensor, points: Tensor, layout: HashLayout, active: int) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(points)
        ctx.layout, ctx.active, ctx.shape = layout, active, table.shape
        where, entries = points.numpy(), table.detach().contiguous().numpy()
        features = np.empty((len(where), layout.width), where.dtype)
        slopes = np.empty((len(where), 3, layout.width), where.dtype)
        described = _described(layout, where.dtype)
        _share(
            lambda span: kernels.forward_slopes(where, entries, *described, active, *span, features, slopes),
            _spans(len(where)),
        )
        return torch.from_numpy(features), torch.from_numpy(slopes)

    @staticmethod
    def backward(ctx, d_features: Tensor, d_slopes: Tensor) -> tuple[Tensor | None, ...]:
        where, gradient = ctx.saved_tensors[0].numpy(), torch.zeros(ctx.shape, dtype=d_features.dtype)
        asked = d_features.contiguous().numpy(), d_slopes.contiguous().numpy()
        described = _described(ctx.layout, where.dtype)
        _share(
            lambda level: kernels.backward_slopes(where, *described, level, *asked, gradient.numpy()),
            range(ctx.active),
        )
        return gradient, None, None, None


def _described(layout: HashLayout, dtype: np.dtype) -> tuple:
    """The layout as the kernels take it."""
    return (0,) * layout.features, layout.scales.astype(dtype), layout.resolutions, layout.offsets, layout.hashed


def _spans(count: int) -> list[tuple[int, int]]:
    """Runs of points, one a thread."""
    parts = max(min(torch.get_num_threads(), count // _POINTS_PER_THREAD), 1)
    return list(pairwise(np.linspace(0, count, parts + 1).astype(int)))


def _share(work: Callable, parts: range | list) -> None:
    """Do all parts, side by side where torch may use several threads."""
    if len(parts) == 1 or torch.get_num_threads() == 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(torch.get_num_threads(), len(parts))) as pool:
        list(pool.map(work, parts))
