"""What the fit does at the nodes of its grids: regularisers, smoothed gradients and Adam steps, compiled by Numba.

Only nodes near or inside the visual hull are touched: in the column (i, j) of the grid those with
``begin[i, j] <= k < end[i, j]``. Nodes on the faces of the grid are never among them, so every node that is touched has
all its neighbours. Kernels work on whole planes x_first <= i < x_last without the interpreter's lock; each writes only
to its own planes and reads only what an earlier phase wrote, so the division of the planes among threads does not
change the result. Distances are in voxels.
"""

import numba
import numpy as np

RATE, BETA1, BETA2, CORRECTION1, CORRECTION2, ADAM_SIZE = 0, 1, 2, 3, 4, 5
"""Entries of an Adam state: learning rate, decay of both moments, and their bias corrections 1 / (1 - beta^step)."""

LOSS_LAPLACIAN, LOSS_EIKONAL, NEAR_SURFACE, NODE_LOSSES = 0, 1, 2, 3
"""Columns of the sums per plane: squared Laplacians, squared deviations of |grad f| from 1, and the number of nodes
less than a voxel from the surface."""

_EPSILON = 1e-15  # Adam's: gradients are means over rays, and a node that few rays meet has tiny ones


@numba.njit(cache=True, nogil=True, fastmath=True)
def collect(x_first, x_last, begin, end, parts, total):
    """Sum the workers' gradients (S, n, n, n, C) into ``total`` (n, n, n, C) and set them to zero."""
    zero = total.dtype.type(0)
    channels = total.shape[3]
    for i in range(x_first, x_last):
        for j in range(begin.shape[1]):
            low, high = begin[i, j] * channels, end[i, j] * channels
            out = total[i, j].reshape(-1)[low:high]
            for s in range(len(parts)):
                part = parts[s, i, j].reshape(-1)[low:high]
                if s == 0:
                    for k in range(len(out)):
                        out[k] = part[k]
                else:
                    for k in range(len(out)):
                        out[k] += part[k]
                for k in range(len(out)):
                    part[k] = zero


@numba.njit(cache=True, nogil=True, fastmath=True)
def measure(x_first, x_last, begin, end, band, sdf, laplacian, flux, losses):
    """Laplacian (n, n, n) and eikonal flux (3, n, n, n) of the distances, and the sums of both losses per plane.

    Both are zero at nodes that are ``band`` or more from the surface: distances have creases deep inside.

    The flux is dL/d(forward difference) of L = sum (|g| - 1)^2, with g the three forward differences of a node.
    """
    number = sdf.dtype.type
    zero, one, two, six, tiny = number(0), number(1), number(2), number(6), number(1e-12)
    for i in range(x_first, x_last):
        rough, stretch, near = number(0), number(0), 0
        for j in range(begin.shape[1]):
            low, high = begin[i, j], end[i, j]
            if low >= high:
                continue
            row, back, front = sdf[i, j], sdf[i - 1, j], sdf[i + 1, j]
            below, above = sdf[i, j - 1], sdf[i, j + 1]
            lap, fx, fy, fz = laplacian[i, j], flux[0, i, j], flux[1, i, j], flux[2, i, j]
            for k in range(low, high):
                f = row[k]
                counts = one if abs(f) < band else zero
                second = back[k] + front[k] + below[k] + above[k] + row[k - 1] + row[k + 1] - six * f
                second *= counts
                lap[k] = second
                rough += second * second
                gx, gy, gz = front[k] - f, above[k] - f, row[k + 1] - f
                length = np.sqrt(gx * gx + gy * gy + gz * gz + tiny)
                excess = counts * (length - one)
                stretch += excess * excess
                factor = two * excess / length
                fx[k], fy[k], fz[k] = factor * gx, factor * gy, factor * gz
                near += abs(f) < one
        losses[i, LOSS_LAPLACIAN], losses[i, LOSS_EIKONAL], losses[i, NEAR_SURFACE] = rough, stretch, near


@numba.njit(cache=True, nogil=True, fastmath=True)
def regularise(x_first, x_last, begin, end, laplacian, flux, weight_laplacian, weight_eikonal, gradient):
    """Add the gradients of the weighted losses of `measure` to ``gradient`` (n, n, n)."""
    number = gradient.dtype.type
    six, two = number(6), number(2) * weight_laplacian
    for i in range(x_first, x_last):
        for j in range(begin.shape[1]):
            low, high = begin[i, j], end[i, j]
            if low >= high:
                continue
            row, back, front = laplacian[i, j], laplacian[i - 1, j], laplacian[i + 1, j]
            below, above = laplacian[i, j - 1], laplacian[i, j + 1]
            fx, fy, fz = flux[0, i, j], flux[1, i, j], flux[2, i, j]
            fx_back, fy_below = flux[0, i - 1, j], flux[1, i, j - 1]
            out = gradient[i, j]
            for k in range(low, high):
                second = back[k] + front[k] + below[k] + above[k] + row[k - 1] + row[k + 1] - six * row[k]
                inflow = fx_back[k] - fx[k] + fy_below[k] - fy[k] + fz[k - 1] - fz[k]
                out[k] += two * second + weight_eikonal * inflow


@numba.njit(cache=True, nogil=True, fastmath=True)
def blur_plane(x_first, x_last, begin, end, gradient, scratch):
    """Blur a gradient (n, n, n) along z and y by the binomial filter [1, 4, 6, 4, 1] / 16; zero outside the range."""
    n = begin.shape[1]
    flat = gradient.reshape(-1)
    for i in range(x_first, x_last):
        for j in range(1, n - 1):
            low, high = begin[i, j], end[i, j]
            # Ranges keep off the faces, so two nodes on lies at worst a face of this or of the next column: always
            # zero, and never outside the array.
            at, stop = (i * n + j) * n + low, (i * n + j) * n + high
            _binomial(
                flat[at - 2 : stop - 2], flat[at - 1 : stop - 1], flat[at:stop], flat[at + 1 : stop + 1],
                flat[at + 2 : stop + 2], scratch[i, j, low:high],
            )  # fmt: skip
        for j in range(1, n - 1):
            low, high = begin[i, j], end[i, j]
            _binomial(
                scratch[i, max(j - 2, 0), low:high], scratch[i, j - 1, low:high], scratch[i, j, low:high],
                scratch[i, j + 1, low:high], scratch[i, min(j + 2, n - 1), low:high], gradient[i, j, low:high],
            )  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def _binomial(a, b, c, d, e, out):
    number = out.dtype.type
    for k in range(len(out)):
        out[k] = number(0.375) * c[k] + number(0.25) * (b[k] + d[k]) + number(0.0625) * (a[k] + e[k])


@numba.njit(cache=True, nogil=True, fastmath=True)
def step_sdf(x_first, x_last, begin, end, gradient, scratch, adam, mean, square, floor, sdf):
    """Blur the gradient along x as `blur_plane` does, take an Adam step, and keep the distance at or above ``floor``.

    Kingma and Ba, "Adam", 2015, algorithm 1; ``mean`` and ``square`` are its moments.
    """
    n = begin.shape[1]
    for i in range(x_first, x_last):
        for j in range(1, n - 1):
            low, high = begin[i, j], end[i, j]
            g = scratch[i, j, low:high]
            _binomial(
                gradient[max(i - 2, 0), j, low:high], gradient[i - 1, j, low:high], gradient[i, j, low:high],
                gradient[i + 1, j, low:high], gradient[min(i + 2, n - 1), j, low:high], g,
            )  # fmt: skip
            m, v, f, least = mean[i, j, low:high], square[i, j, low:high], sdf[i, j, low:high], floor[i, j, low:high]
            _adam(g, adam, m, v, f)
            for k in range(len(f)):
                f[k] = max(f[k], least[k])


@numba.njit(cache=True, nogil=True, fastmath=True)
def step_color(x_first, x_last, begin, end, gradient, adam, mean, square, color):
    """An Adam step on colours (n, n, n, 3), which stay in [0, 1]."""
    zero, one = color.dtype.type(0), color.dtype.type(1)
    for i in range(x_first, x_last):
        for j in range(1, begin.shape[1] - 1):
            low, high = 3 * begin[i, j], 3 * end[i, j]
            c = color[i, j].reshape(-1)[low:high]
            _adam(
                gradient[i, j].reshape(-1)[low:high], adam,
                mean[i, j].reshape(-1)[low:high], square[i, j].reshape(-1)[low:high], c,
            )  # fmt: skip
            for k in range(len(c)):
                c[k] = min(max(c[k], zero), one)


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def _adam(gradient, adam, mean, square, value):
    """One step on the elements of five arrays of one length."""
    number = value.dtype.type
    rate, beta1, beta2 = adam[RATE] * adam[CORRECTION1], adam[BETA1], adam[BETA2]
    rest1, rest2, correction2, epsilon = number(1) - beta1, number(1) - beta2, adam[CORRECTION2], number(_EPSILON)
    for k in range(len(value)):
        g = gradient[k]
        m = beta1 * mean[k] + rest1 * g
        v = beta2 * square[k] + rest2 * g * g
        mean[k], square[k] = m, v
        value[k] -= rate * m / (np.sqrt(correction2 * v) + epsilon)
