"""Attention in bfloat16 with the processor's own dot-product instruction (AVX512-BF16), compiled by Numba.

The products of a block of queries with a block of keys stay in the cache and are turned at once into their share of
the result, with the running maximum and sum of online softmax (Milakov and Gimelshein 2018; Dao et al. 2022). Sums are
in single precision, probabilities are rounded to bfloat16 before they meet the values, as in torch's own kernel.

Layouts, with d = 64 channels a head: matrices on the left of a product are row-major; those on the right come in
panels (32, 64) of int32, each of which holds two consecutive bfloat16 along the summed axis, as the instruction wants.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

HEAD = 64
"""Channels of a head, the only number supported; also the columns of a panel."""

_ROWS = 6
"""Rows of a register tile: 6 x 4 sums of 16 numbers, 4 panel rows and 1 broadcast fit into 32 registers."""
_QUERIES = 48
"""Queries of a task: a multiple of `_ROWS`."""
_PANELS = 4
"""Panels of keys (64 each) between two updates of the running maximum."""

_INT32, _INT64, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_LANES = 16
_CUBIC = (0.07826791, 0.22630763, 0.69542446, 1.0)
"""2^f on [0, 1], highest power first: exact at both ends, least relative error between (1.03e-4)."""
_FLOATS, _PAIRS = ir.VectorType(_FLOAT, _LANES), ir.VectorType(_INT32, _LANES)


@intrinsic
def _tile(typingctx, a, a_stride, b, c, c_stride, pairs, clear):
    """``c = [c +] a b`` of a (6, 2 pairs) bfloat16, b (pairs, 64) pairs of them and c (6, 64) float32.

    a, b, c are addresses; strides are in bytes from row to row; the old c counts where ``clear`` is 0.
    """
    signature = types.void(*[types.int64] * 7)

    def codegen(context, builder, signature, args):
        a, a_stride, b, c, c_stride, pairs, clear = args
        dot = builder.module.declare_intrinsic(
            "llvm.x86.avx512bf16.dpbf16ps.512", (), ir.FunctionType(_FLOATS, (_FLOATS, _PAIRS, _PAIRS))
        )

        def load(address, kind, align):
            return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)

        def offset(base, stride, row, extra=0):
            moved = builder.add(base, builder.mul(stride, ir.Constant(_INT64, row)))
            return builder.add(moved, ir.Constant(_INT64, extra))

        fresh = builder.append_basic_block("fresh")
        old = builder.append_basic_block("old")
        loop = builder.append_basic_block("loop")
        done = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("!=", clear, ir.Constant(_INT64, 0)), fresh, old)
        builder.position_at_end(fresh)
        builder.branch(loop)
        builder.position_at_end(old)
        before = [
            [load(offset(c, c_stride, row, 64 * column), _FLOATS, 4) for column in range(4)] for row in range(_ROWS)
        ]
        builder.branch(loop)

        builder.position_at_end(loop)
        index = builder.phi(_INT64)
        sums = [[builder.phi(_FLOATS) for _ in range(4)] for _ in range(_ROWS)]
        zero = ir.Constant(_FLOATS, [0.0] * _LANES)
        for block, start in ((fresh, None), (old, before)):
            index.add_incoming(ir.Constant(_INT64, 0), block)
            for row in range(_ROWS):
                for column in range(4):
                    sums[row][column].add_incoming(zero if start is None else start[row][column], block)
        at = builder.add(b, builder.mul(index, ir.Constant(_INT64, 4 * HEAD)))
        right = [load(builder.add(at, ir.Constant(_INT64, 64 * column)), _PAIRS, 4) for column in range(4)]
        along = builder.mul(index, ir.Constant(_INT64, 4))
        after = []
        for row in range(_ROWS):
            pair = load(builder.add(offset(a, a_stride, row), along), _INT32, 2)
            one = builder.insert_element(ir.Constant(_PAIRS, ir.Undefined), pair, ir.Constant(_INT32, 0))
            left = builder.shuffle_vector(one, ir.Constant(_PAIRS, ir.Undefined), ir.Constant(_PAIRS, [0] * _LANES))
            after.append([builder.call(dot, (sums[row][column], left, right[column])) for column in range(4)])
        following = builder.add(index, ir.Constant(_INT64, 1))
        index.add_incoming(following, loop)
        for row in range(_ROWS):
            for column in range(4):
                sums[row][column].add_incoming(after[row][column], loop)
        builder.cbranch(builder.icmp_signed("<", following, pairs), loop, done)

        builder.position_at_end(done)
        for row in range(_ROWS):
            for column in range(4):
                target = builder.inttoptr(offset(c, c_stride, row, 64 * column), _FLOATS.as_pointer())
                builder.store(after[row][column], target, align=4)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _peak(typingctx, address, vectors):
    """Largest of 16 ``vectors`` float32 at an address, a multiple of 4; LLVM makes no such reduction of a loop."""
    signature = types.float32(types.int64, types.int64)

    def codegen(context, builder, signature, args):
        address, vectors = args
        largest = builder.module.declare_intrinsic(
            "llvm.vector.reduce.fmax.v16f32", (), ir.FunctionType(_FLOAT, (_FLOATS,))
        )
        entry, loop = builder.block, builder.append_basic_block("peak")
        done = builder.append_basic_block("peaked")
        builder.branch(loop)
        builder.position_at_end(loop)
        index, best = builder.phi(_INT64), [builder.phi(_FLOATS) for _ in range(4)]  # four: none waits for another
        index.add_incoming(ir.Constant(_INT64, 0), entry)
        better = []
        for part, old in enumerate(best):
            old.add_incoming(ir.Constant(_FLOATS, [-3e38] * _LANES), entry)
            at = builder.add(index, ir.Constant(_INT64, part))
            at = builder.add(address, builder.mul(at, ir.Constant(_INT64, 4 * _LANES)))
            better.append(_larger(builder, _load(builder, at, _FLOATS), old))
            old.add_incoming(better[-1], loop)
        following = builder.add(index, ir.Constant(_INT64, 4))
        index.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, vectors), loop, done)
        builder.position_at_end(done)
        pairs = [_larger(builder, better[0], better[1]), _larger(builder, better[2], better[3])]
        return builder.call(largest, (_larger(builder, *pairs),))

    return signature, codegen


@intrinsic
def _weigh(typingctx, scores, weights, groups, scale, peak):
    """Weights ``2^(scale s - peak)`` of scores, as bfloat16, and their sum.

    Of 32 ``groups`` float32 at the address ``scores`` to as many bfloat16 at ``weights``, each 32 as 16 pairs (key i,
    key 16 + i), see `pack`. ``peak`` is at least the largest of ``scale s``.

    2^x = 2^floor(x) 2^f with a cubic for the fraction f, exact at both ends and to 1e-4 between them: far below the
    rounding to bfloat16 that follows.
    """
    signature = types.float32(types.int64, types.int64, types.int64, types.float32, types.float32)

    def codegen(context, builder, signature, args):
        scores, weights, groups, scale, peak = args
        kind = (_FLOATS, _FLOATS, _FLOATS)
        fma = builder.module.declare_intrinsic("llvm.fma.v16f32", (), ir.FunctionType(_FLOATS, kind))
        masks = (ir.IntType(16), _INT32)
        fraction = builder.module.declare_intrinsic(
            "llvm.x86.avx512.mask.reduce.ps.512", (), ir.FunctionType(_FLOATS, (_FLOATS, _INT32, _FLOATS, *masks))
        )
        shift = builder.module.declare_intrinsic(
            "llvm.x86.avx512.mask.scalef.ps.512", (), ir.FunctionType(_FLOATS, (*kind, *masks))
        )
        plus = builder.module.declare_intrinsic(
            "llvm.vector.reduce.fadd.v16f32", (), ir.FunctionType(_FLOAT, (_FLOAT, _FLOATS))
        )
        all_lanes, current = ir.Constant(masks[0], -1), ir.Constant(_INT32, 4)
        zero = ir.Constant(_FLOATS, [0.0] * _LANES)
        scale, below = _spread(builder, scale), builder.fneg(_spread(builder, peak))

        def power(address):
            x = builder.call(fma, (_load(builder, address, _FLOATS), scale, below))
            f = builder.call(fraction, (x, ir.Constant(_INT32, 9), zero, all_lanes, current))  # 9: x - floor(x)
            value = ir.Constant(_FLOATS, [_CUBIC[0]] * _LANES)
            for coefficient in _CUBIC[1:]:
                value = builder.call(fma, (value, f, ir.Constant(_FLOATS, [coefficient] * _LANES)))
            return builder.call(shift, (value, x, zero, all_lanes, current))

        def rounded(value):
            return builder.add(builder.bitcast(value, _PAIRS), ir.Constant(_PAIRS, [0x8000] * _LANES))

        entry, loop = builder.block, builder.append_basic_block("weigh")
        done = builder.append_basic_block("weighed")
        builder.branch(loop)
        builder.position_at_end(loop)
        index, sums = builder.phi(_INT64), [builder.phi(_FLOATS) for _ in range(2)]
        index.add_incoming(ir.Constant(_INT64, 0), entry)
        at = builder.add(scores, builder.mul(index, ir.Constant(_INT64, 8 * _LANES)))
        halves = [power(at), power(builder.add(at, ir.Constant(_INT64, 4 * _LANES)))]
        added = []
        for old, half in zip(sums, halves):
            old.add_incoming(zero, entry)
            added.append(builder.fadd(old, half))
            old.add_incoming(added[-1], loop)
        low = builder.lshr(rounded(halves[0]), ir.Constant(_PAIRS, [16] * _LANES))
        high = builder.and_(rounded(halves[1]), ir.Constant(_PAIRS, [-0x10000] * _LANES))
        target = builder.add(weights, builder.mul(index, ir.Constant(_INT64, 4 * _LANES)))
        builder.store(builder.or_(low, high), builder.inttoptr(target, _PAIRS.as_pointer()), align=2)
        following = builder.add(index, ir.Constant(_INT64, 1))
        index.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, groups), loop, done)
        builder.position_at_end(done)
        both = builder.fadd(*added)
        return builder.call(plus, (ir.Constant(_FLOAT, 0.0), both), fastmath=("reassoc",))  # in a tree

    return signature, codegen


def _load(builder, address, kind):
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=4)


def _larger(builder, one, other):
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


def _spread(builder, number):
    one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), number, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(one, ir.Constant(_FLOATS, ir.Undefined), ir.Constant(_PAIRS, [0] * _LANES))


@numba.njit(parallel=True, cache=True, nogil=True)
def pack(keys, values, heads, key_panels, value_panels):
    """Keys and values (B, n, heads 64) uint16 to panels (B heads, ceil(n / 64), 32, 64) int32, padded with zeros.

    A row of a key panel is a pair of channels of 64 keys; a row of a value panel 64 channels of a pair of keys: in each
    32 of them, key i and key 16 + i, as `_weigh` writes their weights.
    """
    count, panels = keys.shape[1], key_panels.shape[1]
    for task in numba.prange(key_panels.shape[0] * panels):
        head, panel = task // panels, task % panels
        batch, first = head // heads, (head % heads) * HEAD
        for key in range(HEAD):
            source = panel * HEAD + key
            for pair in range(HEAD // 2):
                low, high = np.int32(0), np.int32(0)
                if source < count:
                    low = np.int32(keys[batch, source, first + 2 * pair])
                    high = np.int32(keys[batch, source, first + 2 * pair + 1])
                key_panels[head, panel, pair, key] = low | (high << 16)
        for pair in range(HEAD // 2):
            source = panel * HEAD + (pair // _LANES) * 2 * _LANES + pair % _LANES
            for channel in range(HEAD):
                low, high = np.int32(0), np.int32(0)
                if source < count:
                    low = np.int32(values[batch, source, first + channel])
                if source + _LANES < count:
                    high = np.int32(values[batch, source + _LANES, first + channel])
                value_panels[head, panel, pair, channel] = low | (high << 16)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=True)
def attend(queries, key_panels, value_panels, heads, keys, scale, result):
    """``softmax(scale q k^T) v`` for every head.

    Args:
        queries: (B, n, heads 64) uint16, bits of bfloat16.
        key_panels: of `pack`.
        value_panels: of `pack`.
        heads: their number.
        keys: their number, without padding.
        scale: float32, of the scores; the base-2 logarithm of e is included by the caller.
        result: (B, n, heads 64) float32, written.
    """
    count, panels = queries.shape[1], key_panels.shape[1]
    blocks = (count + _QUERIES - 1) // _QUERIES
    for task in numba.prange(key_panels.shape[0] * blocks):
        head, start = task // blocks, (task % blocks) * _QUERIES
        batch, first = head // heads, (head % heads) * HEAD
        block = np.zeros((_QUERIES, HEAD), np.uint16)
        valid = min(_QUERIES, count - start)
        block[:valid] = queries[batch, start : start + valid, first : first + HEAD]
        scores = np.empty((_QUERIES, _PANELS * HEAD), np.float32)
        weights = np.empty((_QUERIES, _PANELS * HEAD), np.uint16)
        sums = np.zeros((_QUERIES, HEAD), np.float32)
        top = np.full(_QUERIES, np.float32(-1e30))
        total = np.zeros(_QUERIES, np.float32)
        for panel in range(0, panels, _PANELS):
            some = min(_PANELS, panels - panel)
            for one in range(some):
                address = key_panels[head, panel + one].ctypes.data
                for row in range(0, _QUERIES, _ROWS):
                    _tile(
                        block[row:].ctypes.data,
                        2 * HEAD,
                        address,
                        scores[row:, one * HEAD :].ctypes.data,
                        4 * _PANELS * HEAD,
                        HEAD // 2,
                        1,
                    )
            _soften(scores, weights, sums, top, total, min(some * HEAD, keys - panel * HEAD), some * HEAD, scale)
            address = value_panels[head, panel].ctypes.data
            for row in range(0, _QUERIES, _ROWS):
                _tile(
                    weights[row:].ctypes.data,
                    2 * _PANELS * HEAD,
                    address,
                    sums[row:].ctypes.data,
                    4 * HEAD,
                    some * HEAD // 2,
                    0,
                )
        for row in range(valid):
            inverse = np.float32(1) / total[row]
            for channel in range(HEAD):
                result[batch, start + row, first + channel] = sums[row, channel] * inverse


@numba.njit(inline="never", nogil=True, fastmath=True)
def _soften(scores, weights, sums, top, total, valid, padded, scale):
    """One step of online softmax: scores (q, k) to weights, with ``sums`` (q, 64) brought to the new maximum."""
    for row in range(scores.shape[0]):
        line = scores[row]
        for key in range(valid, padded):
            line[key] = np.float32(-1e30)  # weighs nothing
        peak = max(_peak(line.ctypes.data, padded // _LANES) * scale, top[row])
        if peak > top[row]:
            shrink = np.exp2(top[row] - peak)
            total[row] *= shrink
            for channel in range(sums.shape[1]):
                sums[row, channel] *= shrink
            top[row] = peak
        total[row] += _weigh(line.ctypes.data, weights[row].ctypes.data, padded // (2 * _LANES), scale, peak)
