"""The hash encoding on a GPU by Triton kernels, which need no compiler on the machine: Triton comes with CUDA torch."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from zero123pp.recon.ops.encoding.layout import PRIMES, HashLayout

_BLOCK = 256
"""Points a program."""
# The primes as 32-bit integers with sign: products wrap round, and only their low bits are used.
_P1, _P2 = tl.constexpr(PRIMES[1] - 2**32), tl.constexpr(PRIMES[2])


def cause() -> str | None:
    """Why it cannot be used here, or None."""
    return None if torch.cuda.is_available() else "torch sees no CUDA device"


def encode(
    points: Tensor, table: Tensor, layout: HashLayout, active: int | None = None, slopes: bool = False
) -> tuple[Tensor, Tensor | None]:
    """See `reference.encode`; the points are constants."""
    active = layout.levels if active is None else min(active, layout.levels)
    features, derivatives = _Encode.apply(table.contiguous(), points.detach().contiguous(), layout, active, slopes)
    return features, derivatives if slopes else None


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, table: Tensor, points: Tensor, layout: HashLayout, active: int, slopes: bool
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(points)
        ctx.layout, ctx.active, ctx.slopes, ctx.table = layout, active, slopes, table.shape
        features = table.new_zeros(len(points), layout.width)
        derivatives = table.new_zeros(len(points) if slopes else 0, 3, layout.width)
        if len(points):
            _forward[_programs(points, active)](
                points, table, *_described(layout, points), features, derivatives, len(points),
                WIDTH=layout.width, FEATURES=layout.features, SLOPES=slopes, BLOCK=_BLOCK,
            )  # fmt: skip
        return features, derivatives

    @staticmethod
    def backward(ctx, d_features: Tensor, d_slopes: Tensor) -> tuple[Tensor | None, ...]:
        (points,) = ctx.saved_tensors
        gradient = d_features.new_zeros(ctx.table)
        if len(points):
            _backward[_programs(points, ctx.active)](
                points, *_described(ctx.layout, points), d_features.contiguous(), d_slopes.contiguous(), gradient,
                len(points), WIDTH=ctx.layout.width, FEATURES=ctx.layout.features, SLOPES=ctx.slopes, BLOCK=_BLOCK,
            )  # fmt: skip
        return gradient, None, None, None, None


def _programs(points: Tensor, active: int) -> tuple[int, int]:
    return triton.cdiv(len(points), _BLOCK), active


_descriptions: dict[tuple[HashLayout, torch.device], tuple[Tensor, ...]] = {}


def _described(layout: HashLayout, like: Tensor) -> tuple[Tensor, ...]:
    """Scales, nodes along an axis, first rows, numbers of rows and hashed or not of the levels, on the device."""
    key = layout, like.device
    if key not in _descriptions:
        numbers = (layout.resolutions, layout.offsets[:-1], layout.offsets[1:] - layout.offsets[:-1], layout.hashed)
        _descriptions[key] = (
            torch.tensor(layout.scales, device=like.device),
            *(torch.tensor(n.astype("int32"), device=like.device) for n in numbers),
        )
    return _descriptions[key]


@triton.jit
def _place(points, scales, resolutions, firsts, counts, hashes, count, BLOCK: tl.constexpr):
    """The points of this program, their cells on its level (low corner, place inside), and where its rows are."""
    level = tl.program_id(1)
    p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    valid = p < count
    scale, resolution = tl.load(scales + level), tl.load(resolutions + level)
    first, entries, hashed = tl.load(firsts + level), tl.load(counts + level), tl.load(hashes + level)
    px = tl.load(points + 3 * p, mask=valid, other=0.0) * scale + 0.5
    py = tl.load(points + 3 * p + 1, mask=valid, other=0.0) * scale + 0.5
    pz = tl.load(points + 3 * p + 2, mask=valid, other=0.0) * scale + 0.5
    x, y, z = px.to(tl.int32), py.to(tl.int32), pz.to(tl.int32)  # positions are positive
    u, v, w = px - x.to(px.dtype), py - y.to(py.dtype), pz - z.to(pz.dtype)
    return level, p.to(tl.int64), valid, scale, x, y, z, u, v, w, resolution, first, entries, hashed


@triton.jit
def _row(x, y, z, resolution, first, entries, hashed):
    dense = x + resolution * (y + resolution * z)
    dense = tl.where(dense < entries, dense, dense - entries)  # as the remainder: points lie in the unit cube
    mixed = (x ^ (y * _P1) ^ (z * _P2)) & (entries - 1)
    return first + tl.where(hashed != 0, mixed, dense)


@triton.jit
def _forward(
    points, table, scales, resolutions, firsts, counts, hashes, features, slopes, count,
    WIDTH: tl.constexpr, FEATURES: tl.constexpr, SLOPES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    level, p, valid, scale, x, y, z, u, v, w, resolution, first, entries, hashed = _place(
        points, scales, resolutions, firsts, counts, hashes, count, BLOCK
    )
    for c in tl.static_range(FEATURES):
        value = tl.zeros((BLOCK,), u.dtype)
        by_x, by_y, by_z = value, value, value
        for corner in tl.static_range(8):
            i, j, k = corner & 1, corner >> 1 & 1, corner >> 2 & 1
            row = _row(x + i, y + j, z + k, resolution, first, entries, hashed)
            entry = tl.load(table + row * FEATURES + c, mask=valid, other=0.0)
            nu = u if i == 1 else 1 - u
            nv = v if j == 1 else 1 - v
            nw = w if k == 1 else 1 - w
            value += nu * nv * nw * entry
            if SLOPES:
                by_x += (2 * i - 1) * nv * nw * entry
                by_y += (2 * j - 1) * nu * nw * entry
                by_z += (2 * k - 1) * nu * nv * entry
        column = level * FEATURES + c
        tl.store(features + p * WIDTH + column, value, mask=valid)
        if SLOPES:
            tl.store(slopes + (p * 3) * WIDTH + column, scale * by_x, mask=valid)
            tl.store(slopes + (p * 3 + 1) * WIDTH + column, scale * by_y, mask=valid)
            tl.store(slopes + (p * 3 + 2) * WIDTH + column, scale * by_z, mask=valid)


@triton.jit
def _backward(
    points, scales, resolutions, firsts, counts, hashes, d_features, d_slopes, d_table, count,
    WIDTH: tl.constexpr, FEATURES: tl.constexpr, SLOPES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    level, p, valid, scale, x, y, z, u, v, w, resolution, first, entries, hashed = _place(
        points, scales, resolutions, firsts, counts, hashes, count, BLOCK
    )
    for c in tl.static_range(FEATURES):
        column = level * FEATURES + c
        g = tl.load(d_features + p * WIDTH + column, mask=valid, other=0.0)
        if SLOPES:
            gx = scale * tl.load(d_slopes + (p * 3) * WIDTH + column, mask=valid, other=0.0)
            gy = scale * tl.load(d_slopes + (p * 3 + 1) * WIDTH + column, mask=valid, other=0.0)
            gz = scale * tl.load(d_slopes + (p * 3 + 2) * WIDTH + column, mask=valid, other=0.0)
        for corner in tl.static_range(8):
            i, j, k = corner & 1, corner >> 1 & 1, corner >> 2 & 1
            row = _row(x + i, y + j, z + k, resolution, first, entries, hashed)
            nu = u if i == 1 else 1 - u
            nv = v if j == 1 else 1 - v
            nw = w if k == 1 else 1 - w
            total = nu * nv * nw * g
            if SLOPES:
                total += (2 * i - 1) * nv * nw * gx + (2 * j - 1) * nu * nw * gy + (2 * k - 1) * nu * nv * gz
            tl.atomic_add(d_table + row * FEATURES + c, total, mask=valid)
