"""Heights from slopes, compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def integrate_slopes(start, right, right_weight, below, below_weight, held, rounds):
    """Heights whose differences between neighbouring pixels are those wanted, and which stay where they are held.

    Minimises, over pixels p and their right and lower neighbours q, the sum of weight_pq (x_q - x_p - wanted_pq)^2 and
    of held_p (x_p - start_p)^2, a screened Poisson equation, by conjugate gradients with the diagonal as preconditioner
    (Saad, "Iterative methods for sparse linear systems", 2003, algorithm 9.1) from ``start`` on. A round brings
    heights one pixel further.

    Args:
        start: (H, W) heights; pixels without any weight keep theirs.
        right: (H, W) wanted height of the right neighbour less that of the pixel; the last column is not looked at.
        right_weight: (H, W) of that, 0 for neighbours that have nothing to do with each other.
        below: (H, W) likewise for the neighbour below; the last row is not looked at.
        below_weight: (H, W).
        held: (H, W) weight of the pixel's own height.
        rounds: at most.

    Returns:
        (H, W) float64.
    """
    height, width = start.shape
    x = start.astype(np.float64)
    residual, diagonal = np.zeros((height, width)), held.astype(np.float64)
    for i in range(height):
        for j in range(width):
            if j + 1 < width and right_weight[i, j] > 0:
                weight = np.float64(right_weight[i, j])
                pull = weight * (right[i, j] - (x[i, j + 1] - x[i, j]))
                residual[i, j] -= pull
                residual[i, j + 1] += pull
                diagonal[i, j] += weight
                diagonal[i, j + 1] += weight
            if i + 1 < height and below_weight[i, j] > 0:
                weight = np.float64(below_weight[i, j])
                pull = weight * (below[i, j] - (x[i + 1, j] - x[i, j]))
                residual[i, j] -= pull
                residual[i + 1, j] += pull
                diagonal[i, j] += weight
                diagonal[i + 1, j] += weight
    inverse = np.where(diagonal > 0, 1 / np.maximum(diagonal, 1e-300), 0.0)
    towards = residual * inverse
    energy = (residual * towards).sum()
    enough, times = 1e-16 * energy, np.empty((height, width))
    for _ in range(rounds):
        if energy <= enough:
            break
        curvature = 0.0
        for i in range(height):
            for j in range(width):
                total = diagonal[i, j] * towards[i, j]
                if j + 1 < width:
                    total -= right_weight[i, j] * towards[i, j + 1]
                if j > 0:
                    total -= right_weight[i, j - 1] * towards[i, j - 1]
                if i + 1 < height:
                    total -= below_weight[i, j] * towards[i + 1, j]
                if i > 0:
                    total -= below_weight[i - 1, j] * towards[i - 1, j]
                times[i, j] = total
                curvature += total * towards[i, j]
        step, before, energy = energy / curvature, energy, 0.0
        for i in range(height):
            for j in range(width):
                x[i, j] += step * towards[i, j]
                residual[i, j] -= step * times[i, j]
                energy += residual[i, j] * residual[i, j] * inverse[i, j]
        for i in range(height):
            for j in range(width):
                towards[i, j] = residual[i, j] * inverse[i, j] + energy / before * towards[i, j]
    return x
