"""The transforms of `zero123pp.diffusion.cpu.winograd` in bfloat16, compiled by Numba: one pass over memory each.

Sums are in single precision and rounded once. Arrays hold the bits of bfloat16 as uint16.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT32, _FLOAT = ir.IntType(32), ir.FloatType()


@intrinsic
def wide(typingctx, bits):
    """The bits of a bfloat16 as float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(builder.shl(builder.zext(args[0], _INT32), ir.Constant(_INT32, 16)), _FLOAT)

    return types.float32(types.uint16), codegen


@intrinsic
def narrow(typingctx, x):
    """The bits of a float32 rounded to bfloat16, to nearest, ties to even."""

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(args[0], _INT32)
        odd = builder.and_(builder.lshr(bits, ir.Constant(_INT32, 16)), ir.Constant(_INT32, 1))
        rounded = builder.add(builder.add(bits, ir.Constant(_INT32, 0x7FFF)), odd)
        return builder.trunc(builder.lshr(rounded, ir.Constant(_INT32, 16)), ir.IntType(16))

    return types.uint16(types.float32), codegen


@numba.njit(parallel=True, cache=True, nogil=True)
def transform_input(pictures, first, out):
    """``B^T d B`` of rows of tiles from ``first`` on.

    Args:
        pictures: (b, 2 r + 2, 2 c + 2, n) uint16 with their borders.
        first: row of tiles, counted through all pictures.
        out: (4, 4, rows, c, n) uint16, written.
    """
    rows, columns, channels = out.shape[2:]
    each = pictures.shape[1] // 2 - 1
    for task in numba.prange(rows * columns):
        row, column = task // columns, task % columns
        picture, top = (first + row) // each, 2 * ((first + row) % each)
        for n in range(channels):
            a0, a1, a2, a3 = _down(pictures, picture, top, 2 * column, n)
            b0, b1, b2, b3 = _down(pictures, picture, top, 2 * column + 1, n)
            c0, c1, c2, c3 = _down(pictures, picture, top, 2 * column + 2, n)
            d0, d1, d2, d3 = _down(pictures, picture, top, 2 * column + 3, n)
            _store(out, 0, row, column, n, a0 - c0, b0 + c0, c0 - b0, b0 - d0)
            _store(out, 1, row, column, n, a1 - c1, b1 + c1, c1 - b1, b1 - d1)
            _store(out, 2, row, column, n, a2 - c2, b2 + c2, c2 - b2, b2 - d2)
            _store(out, 3, row, column, n, a3 - c3, b3 + c3, c3 - b3, b3 - d3)


@numba.njit(parallel=True, cache=True, nogil=True)
def transform_output(products, bias, first, pictures):
    """``A^T m A`` of (4, 4, rows, columns, n) plus the bias (n,) into their place in (b, h, w, n), all uint16.

    ``first`` is their row of tiles, counted through all pictures.
    """
    rows, columns, channels = products.shape[2:]
    height, width = pictures.shape[1:3]
    each = (height + 1) // 2
    for task in numba.prange(rows * columns):
        row, column = task // columns, task % columns
        picture, y, x = (first + row) // each, 2 * ((first + row) % each), 2 * column
        below, beside = min(y + 1, height - 1), min(x + 1, width - 1)
        for n in range(channels):
            a0, a1 = _across(products, 0, row, column, n)
            b0, b1 = _across(products, 1, row, column, n)
            c0, c1 = _across(products, 2, row, column, n)
            d0, d1 = _across(products, 3, row, column, n)
            add = wide(bias[n])
            # What lies beyond an odd side is written first, and then over.
            pictures[picture, below, beside, n] = narrow(b1 - c1 - d1 + add)
            pictures[picture, below, x, n] = narrow(b0 - c0 - d0 + add)
            pictures[picture, y, beside, n] = narrow(a1 + b1 + c1 + add)
            pictures[picture, y, x, n] = narrow(a0 + b0 + c0 + add)


@numba.njit(inline="always")
def _down(pictures, picture, top, left, n):
    """``B^T d`` of one column of four inputs."""
    d0, d1 = wide(pictures[picture, top, left, n]), wide(pictures[picture, top + 1, left, n])
    d2, d3 = wide(pictures[picture, top + 2, left, n]), wide(pictures[picture, top + 3, left, n])
    return d0 - d2, d1 + d2, d2 - d1, d1 - d3


@numba.njit(inline="always")
def _store(out, i, row, column, n, m0, m1, m2, m3):
    out[i, 0, row, column, n] = narrow(m0)
    out[i, 1, row, column, n] = narrow(m1)
    out[i, 2, row, column, n] = narrow(m2)
    out[i, 3, row, column, n] = narrow(m3)


@numba.njit(inline="always")
def _across(products, i, row, column, n):
    """``m A`` of one row of four products."""
    m0, m1 = wide(products[i, 0, row, column, n]), wide(products[i, 1, row, column, n])
    m2, m3 = wide(products[i, 2, row, column, n]), wide(products[i, 3, row, column, n])
    return m0 + m1 + m2, m1 - m2 - m3


def zero_bias(channels: int) -> np.ndarray:
    """The bits of ``channels`` zeros."""
    return np.zeros(channels, np.uint16)
