"""The hash encoding, forward and backward, compiled by Numba. See `reference` for what is computed.

Kernels are generic in the floating type and run without the interpreter's lock: forward over a range of points,
backward level by level, whose rows of the table are its own, so nothing races and sums have one order. ``lanes`` is a
tuple as long as an entry: its length is known to the compiler, which unrolls the loops over features.
"""

import numba
import numpy as np

from zero123pp.recon.ops.encoding.layout import PRIMES

_P1, _P2 = np.int64(PRIMES[1]), np.int64(PRIMES[2])


@numba.njit(cache=True, nogil=True, inline="always")
def _dense_row(x, y, z, first, entries, resolution):
    index = x + resolution * (y + resolution * z)
    return first + (index if index < entries else index - entries)  # as the remainder: points lie in the unit cube


@numba.njit(cache=True, nogil=True, inline="always")
def _rows(x, y, z, first, entries, resolution, hashed):
    """Rows of a cell's corners, x fastest."""
    if hashed:
        mask = entries - 1  # entries are a power of two
        y0, z0 = y * _P1, z * _P2
        y1, z1 = y0 + _P1, z0 + _P2
        return (
            first + ((x ^ y0 ^ z0) & mask), first + (((x + 1) ^ y0 ^ z0) & mask),
            first + ((x ^ y1 ^ z0) & mask), first + (((x + 1) ^ y1 ^ z0) & mask),
            first + ((x ^ y0 ^ z1) & mask), first + (((x + 1) ^ y0 ^ z1) & mask),
            first + ((x ^ y1 ^ z1) & mask), first + (((x + 1) ^ y1 ^ z1) & mask),
        )  # fmt: skip
    return (
        _dense_row(x, y, z, first, entries, resolution), _dense_row(x + 1, y, z, first, entries, resolution),
        _dense_row(x, y + 1, z, first, entries, resolution), _dense_row(x + 1, y + 1, z, first, entries, resolution),
        _dense_row(x, y, z + 1, first, entries, resolution), _dense_row(x + 1, y, z + 1, first, entries, resolution),
        _dense_row(x, y + 1, z + 1, first, entries, resolution),
        _dense_row(x + 1, y + 1, z + 1, first, entries, resolution),
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, inline="always")
def _cell(points, p, scale):
    """Node at the low corner of a point's cell, and the point's place in the cell."""
    number = type(scale)
    half = number(0.5)
    px, py, pz = points[p, 0] * scale + half, points[p, 1] * scale + half, points[p, 2] * scale + half
    x, y, z = np.int64(px), np.int64(py), np.int64(pz)  # positions are positive
    return x, y, z, px - number(x), py - number(y), pz - number(z)


@numba.njit(cache=True, nogil=True, fastmath=True)
def forward(points, table, lanes, scales, resolutions, offsets, hashed, active, begin, end, features):
    """Fill rows begin..end of features (P, L F)."""
    for level in range(len(scales)):
        first, entries = offsets[level], offsets[level + 1] - offsets[level]
        scale, column = scales[level], level * len(lanes)
        if level >= active:
            features[begin:end, column : column + len(lanes)] = 0
            continue
        for p in range(begin, end):
            x, y, z, u, v, w = _cell(points, p, scale)
            r = _rows(x, y, z, first, entries, resolutions[level], hashed[level])
            for c in range(len(lanes)):
                a0 = table[r[0], c] + u * (table[r[1], c] - table[r[0], c])
                a1 = table[r[2], c] + u * (table[r[3], c] - table[r[2], c])
                a2 = table[r[4], c] + u * (table[r[5], c] - table[r[4], c])
                a3 = table[r[6], c] + u * (table[r[7], c] - table[r[6], c])
                b0, b1 = a0 + v * (a1 - a0), a2 + v * (a3 - a2)
                features[p, column + c] = b0 + w * (b1 - b0)


@numba.njit(cache=True, nogil=True, fastmath=True)
def forward_slopes(points, table, lanes, scales, resolutions, offsets, hashed, active, begin, end, features, slopes):
    """`forward`, and rows begin..end of slopes (P, 3, L F)."""
    one = scales.dtype.type(1)
    for level in range(len(scales)):
        first, entries = offsets[level], offsets[level + 1] - offsets[level]
        scale, column = scales[level], level * len(lanes)
        if level >= active:
            features[begin:end, column : column + len(lanes)] = 0
            slopes[begin:end, :, column : column + len(lanes)] = 0
            continue
        for p in range(begin, end):
            x, y, z, u, v, w = _cell(points, p, scale)
            r = _rows(x, y, z, first, entries, resolutions[level], hashed[level])
            for c in range(len(lanes)):
                d0, d1 = table[r[1], c] - table[r[0], c], table[r[3], c] - table[r[2], c]
                d2, d3 = table[r[5], c] - table[r[4], c], table[r[7], c] - table[r[6], c]
                a0, a1 = table[r[0], c] + u * d0, table[r[2], c] + u * d1
                a2, a3 = table[r[4], c] + u * d2, table[r[6], c] + u * d3
                b0, b1 = a0 + v * (a1 - a0), a2 + v * (a3 - a2)
                e0, e1 = d0 + v * (d1 - d0), d2 + v * (d3 - d2)
                features[p, column + c] = b0 + w * (b1 - b0)
                slopes[p, 0, column + c] = scale * (e0 + w * (e1 - e0))
                slopes[p, 1, column + c] = scale * ((one - w) * (a1 - a0) + w * (a3 - a2))
                slopes[p, 2, column + c] = scale * (b1 - b0)


@numba.njit(cache=True, nogil=True, fastmath=True)
def backward(points, lanes, scales, resolutions, offsets, hashed, level, d_features, d_table):
    """Add what d_features (P, L F) asks of the entries of one level to d_table."""
    one = scales.dtype.type(1)
    first, entries = offsets[level], offsets[level + 1] - offsets[level]
    scale, column = scales[level], level * len(lanes)
    for p in range(len(points)):
        x, y, z, u, v, w = _cell(points, p, scale)
        r = _rows(x, y, z, first, entries, resolutions[level], hashed[level])
        s0, s1, s2, s3 = (one - v) * (one - w), v * (one - w), (one - v) * w, v * w
        for c in range(len(lanes)):
            g = d_features[p, column + c]
            h = u * g
            g -= h
            d_table[r[0], c] += g * s0
            d_table[r[1], c] += h * s0
            d_table[r[2], c] += g * s1
            d_table[r[3], c] += h * s1
            d_table[r[4], c] += g * s2
            d_table[r[5], c] += h * s2
            d_table[r[6], c] += g * s3
            d_table[r[7], c] += h * s3


@numba.njit(cache=True, nogil=True, fastmath=True)
def backward_slopes(points, lanes, scales, resolutions, offsets, hashed, level, d_features, d_slopes, d_table):
    """`backward` with what d_slopes (P, 3, L F) asks as well."""
    one = scales.dtype.type(1)
    first, entries = offsets[level], offsets[level + 1] - offsets[level]
    scale, column = scales[level], level * len(lanes)
    for p in range(len(points)):
        x, y, z, u, v, w = _cell(points, p, scale)
        r = _rows(x, y, z, first, entries, resolutions[level], hashed[level])
        for c in range(len(lanes)):
            g = d_features[p, column + c]
            gx = scale * d_slopes[p, 0, column + c]
            gy = scale * d_slopes[p, 1, column + c]
            gz = scale * d_slopes[p, 2, column + c]
            # What each corner gets is n_u n_v n_w g + sign_u n_v n_w gx + ..., taken apart axis by axis.
            low, high = (one - u) * g - gx, u * g + gx
            v0, v1 = one - v, v
            w0, w1 = one - w, w
            y_low, y_high = (one - u) * gy, u * gy
            z_low, z_high = (one - u) * gz, u * gz
            d_table[r[0], c] += w0 * (v0 * low - y_low) - v0 * z_low
            d_table[r[1], c] += w0 * (v0 * high - y_high) - v0 * z_high
            d_table[r[2], c] += w0 * (v1 * low + y_low) - v1 * z_low
            d_table[r[3], c] += w0 * (v1 * high + y_high) - v1 * z_high
            d_table[r[4], c] += w1 * (v0 * low - y_low) + v0 * z_low
            d_table[r[5], c] += w1 * (v0 * high - y_high) + v0 * z_high
            d_table[r[6], c] += w1 * (v1 * low + y_low) + v1 * z_low
            d_table[r[7], c] += w1 * (v1 * high + y_high) + v1 * z_high
