"""What one thread of this processor can do, measured: streaming, multiply-adds, and interpolation in a small grid.

Rates are per processor second of the thread, so that other work on the machine matters little; shared memory
bandwidth and caches still do.
"""

import time
from collections.abc import Callable

import numba
import numpy as np


def best(run: Callable[[], object], repeats: int = 5) -> float:
    """Least processor seconds of a thread over some repeats, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times)


def stream_bytes_per_s(megabytes: int = 256) -> float:
    """Triad a = b + s c over arrays far larger than the caches (McCalpin's STREAM; 12 bytes an element)."""
    count = megabytes * 2**20 // 12
    a, b, c = np.zeros(count, np.float32), np.ones(count, np.float32), np.ones(count, np.float32)
    return 12 * count / best(lambda: _triad(a, b, c, np.float32(3)))


@numba.njit(fastmath=True, nogil=True)
def _triad(a, b, c, s):
    for i in range(len(a)):
        a[i] = b[i] + s * c[i]


def peak_flops_per_s(rounds: int = 400_000) -> float:
    """Single-precision multiply-adds on registers, vectorised by the compiler: two operations each."""
    x = np.linspace(0.5, 1, 128).astype(np.float32)
    return 2 * len(x) * rounds / best(lambda: _multiply_add(x, rounds))


@numba.njit(fastmath=True, nogil=True)
def _multiply_add(x, rounds):
    # Enough independent chains that none has to wait for the one before.
    y = np.empty(128, np.float32)
    y[:] = x
    a, b = np.float32(0.999), np.float32(0.001)
    for _ in range(rounds):
        for lane in range(128):
            y[lane] = y[lane] * a + b
    return y.sum()


def cycles_per_s(rounds: int = 20_000_000) -> float:
    """Clock of the processor while it works: xorshift (Marsaglia 2003), six operations of one cycle in a chain."""
    return 6 * rounds / best(lambda: _xorshift(np.uint64(88172645463325252), rounds))


@numba.njit(nogil=True)
def _xorshift(x, rounds):
    for _ in range(rounds):
        x ^= x << np.uint64(13)
        x ^= x >> np.uint64(7)
        x ^= x << np.uint64(17)
    return x


def interpolations_per_s(sdf: np.ndarray, points: np.ndarray, *, chained: bool) -> float:
    """Trilinear interpolations of a grid (n, n, n) at points (P, 3): 8 loads, 7 lerps, no more.

    Args:
        sdf: the grid.
        points: positions in units of nodes, such as those of a march.
        chained: each place depends on the value before, as along a ray: the processor cannot overlap them. Without,
            it can: what marching several rays at once could reach.
    """
    flat, n = np.ascontiguousarray(sdf.reshape(-1)), len(sdf)
    nothing = np.float32(0)  # not a constant to the compiler
    run = _chained if chained else _interpolate
    return len(points) / best(lambda: run(flat, n, points, nothing))


@numba.njit(fastmath=True, nogil=True)
def _interpolate(sdf, n, points, nothing):
    total = nothing
    for p in range(len(points)):
        total += _value(sdf, n, points[p, 0], points[p, 1], points[p, 2])
    return total


@numba.njit(nogil=True)  # fastmath might drop the product with nothing
def _chained(sdf, n, points, nothing):
    before, total = nothing, nothing
    for p in range(len(points)):
        before = _value(sdf, n, points[p, 0] + nothing * before, points[p, 1], points[p, 2])
        total += before
    return total


@numba.njit(fastmath=True, nogil=True, inline="always")
def _value(sdf, n, x, y, z):
    one = np.float32(1)
    i, j, k = min(int(x), n - 2), min(int(y), n - 2), min(int(z), n - 2)
    u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    b = (i * n + j) * n + k
    c00 = sdf[b] * (one - w) + sdf[b + 1] * w
    c01 = sdf[b + n] * (one - w) + sdf[b + n + 1] * w
    c10 = sdf[b + n * n] * (one - w) + sdf[b + n * n + 1] * w
    c11 = sdf[b + n * n + n] * (one - w) + sdf[b + n * n + n + 1] * w
    c0, c1 = c00 * (one - v) + c01 * v, c10 * (one - v) + c11 * v
    return c0 * (one - u) + c1 * u
