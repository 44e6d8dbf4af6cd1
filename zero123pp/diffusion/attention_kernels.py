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
_QUERIES = 96
"""Queries of a task: a multiple of `_ROWS`."""
_PANELS = 4
"""Panels of keys (64 each) between two updates of the running maximum."""

_INT32, _INT64, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_LANES = 16
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
def _exp2(typingctx, x):
    """2^x of a float32 from -126 to 0, to 4e-6 of its value: far below the rounding to bfloat16 that follows."""
    signature = types.float32(types.float32)

    def codegen(context, builder, signature, args):
        (x,) = args
        floor = builder.module.declare_intrinsic("llvm.floor", (_FLOAT,))
        whole = builder.call(floor, (x,))
        part = builder.fsub(x, whole)
        value = ir.Constant(_FLOAT, np.float32(0.0135479).item())
        # Least-squares fit of 2^f on [0, 1] that is exact at both ends.
        for coefficient in (0.0520249, 0.2414041, 0.6930232, 1.0):
            value = builder.fadd(builder.fmul(value, part), ir.Constant(_FLOAT, np.float32(coefficient).item()))
        exponent = builder.shl(builder.fptosi(whole, _INT32), ir.Constant(_INT32, 23))
        return builder.bitcast(builder.add(builder.bitcast(value, _INT32), exponent), _FLOAT)

    return signature, codegen


@intrinsic
def _bfloat16(typingctx, x):
    """The bits of a float32 of at least 0, rounded to bfloat16."""
    signature = types.uint16(types.float32)

    def codegen(context, builder, signature, args):
        bits = builder.add(builder.bitcast(args[0], _INT32), ir.Constant(_INT32, 0x8000))
        return builder.trunc(builder.lshr(bits, ir.Constant(_INT32, 16)), ir.IntType(16))

    return signature, codegen


@intrinsic
def _peak(typingctx, address, vectors):
    """Largest of 16 ``vectors`` float32 at an address; LLVM turns no loop of comparisons into such a reduction."""
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
        index, best = builder.phi(_INT64), builder.phi(_FLOATS)
        at = builder.add(address, builder.mul(index, ir.Constant(_INT64, 4 * _LANES)))
        value = builder.load(builder.inttoptr(at, _FLOATS.as_pointer()), align=4)
        better = builder.select(builder.fcmp_ordered(">", value, best), value, best)
        following = builder.add(index, ir.Constant(_INT64, 1))
        index.add_incoming(ir.Constant(_INT64, 0), entry)
        best.add_incoming(ir.Constant(_FLOATS, [-3e38] * _LANES), entry)
        index.add_incoming(following, loop)
        best.add_incoming(better, loop)
        builder.cbranch(builder.icmp_signed("<", following, vectors), loop, done)
        builder.position_at_end(done)
        return builder.call(largest, (better,))

    return signature, codegen


@numba.njit(parallel=True, cache=True, nogil=True)
def pack(keys, values, heads, key_panels, value_panels):
    """Keys and values (B, n, heads 64) uint16 to panels (B heads, ceil(n / 64), 32, 64) int32, padded with zeros.

    A row of a key panel is a pair of channels of 64 keys; a row of a value panel 64 channels of a pair of keys.
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
            source = panel * HEAD + 2 * pair
            for channel in range(HEAD):
                low, high = np.int32(0), np.int32(0)
                if source < count:
                    low = np.int32(values[batch, source, first + channel])
                if source + 1 < count:
                    high = np.int32(values[batch, source + 1, first + channel])
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
        line, bits = scores[row], weights[row]
        full = valid // _LANES
        peak = _peak(line.ctypes.data, full) if full else line[0]
        for key in range(full * _LANES, valid):
            peak = max(peak, line[key])
        peak = max(peak * scale, top[row])
        if peak > top[row]:
            shrink = _exp2(max(top[row] - peak, np.float32(-126)))
            total[row] *= shrink
            for channel in range(sums.shape[1]):
                sums[row, channel] *= shrink
            top[row] = peak
        added = np.float32(0)
        for key in range(valid):
            weight = _exp2(max(line[key] * scale - peak, np.float32(-126)))
            added += weight
            bits[key] = _bfloat16(weight)
        for key in range(valid, padded):
            bits[key] = 0
        total[row] += added
