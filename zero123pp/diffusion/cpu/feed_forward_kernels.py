"""GEGLU in bfloat16, compiled by Numba: one pass over memory, rounded once. Arrays hold the bits as uint16."""

import numba
import numpy as np

from zero123pp.diffusion.cpu.winograd_kernels import narrow, wide

_ERFC = tuple(map(np.float32, (4.30638e-5, 2.765672e-4, 1.520143e-4, 9.2705272e-3, 4.22820123e-2, 7.05230784e-2)))
"""``erfc(z) = (1 + a1 z + ... + a6 z^6)^-16`` to 3e-7, for z >= 0 (Abramowitz and Stegun 1964, 7.1.28); a6 first."""

_FAR = np.float32(5.5)
"""The normal distribution's tail beyond 7.8 standard deviations is less than 1e-14; the powers stay in range."""


@numba.njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"})
def gate(projected, out):
    """``h gelu(g)`` of (rows, 2 n) into (rows, n)."""
    width = out.shape[1]
    one, half, root = np.float32(1), np.float32(0.5), np.float32(0.70710678)
    for row in numba.prange(out.shape[0]):
        for n in range(width):
            g = wide(projected[row, width + n])
            z = min(abs(g) * root, _FAR)
            power = _ERFC[0]
            for a in _ERFC[1:]:
                power = power * z + a
            power = power * z + one
            power *= power
            power *= power
            power *= power
            tail = half / (power * power)
            share = tail if g < 0 else one - tail
            out[row, n] = narrow(wide(projected[row, n]) * (g * share))
