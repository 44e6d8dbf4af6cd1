"""Factors that make overlapping views agree in brightness and tint."""

import numpy as np

PRIOR = 0.05
"""Weight of "every factor is 1" relative to one fully overlapping pair of views."""

DARK = 0.02
"""Colours below this say nothing about a factor."""

LIMIT = 1.25
"""No factor leaves [1/LIMIT, LIMIT]: a larger difference is no exposure, but another colour."""


def match_gains(colors: np.ndarray, weights: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Factors for each view and channel.

    Minimises over log factors g the sum over pairs of views and the points both see of
    w_i w_j (g_i + log c_i - g_j - log c_j)^2, with a prior that holds the factors near 1, more so for trusted views.

    Args:
        colors: (V, n, 3) what each view sees at n points, sRGB.
        weights: (V, n), 0 where it sees nothing.
        confidence: (V,) trust in the views.

    Returns:
        (V, 3) factors; all 1 where views do not overlap.
    """
    views = len(colors)
    usable = weights * (colors.min(-1) > DARK)
    usable = usable / max(float(usable.max()), 1e-12)
    logs = np.log(np.maximum(colors, DARK))
    together = np.einsum("in,jn->ij", usable, usable).astype(np.float64)
    np.fill_diagonal(together, 0)
    if together.max() <= 0:
        return np.ones((views, 3), np.float32)
    prior = PRIOR * together.max() * confidence / confidence.max()
    system = np.diag(together.sum(1) + prior) - together
    gains = np.ones((views, 3))
    for channel in range(3):
        log = logs[..., channel]
        weighted = usable * log
        # sum_n w_i w_j (log c_j - log c_i), for each pair
        difference = np.einsum("in,jn->ij", usable, weighted) - np.einsum("in,jn->ij", weighted, usable)
        gains[:, channel] = np.exp(np.linalg.solve(system, difference.sum(1)))
    return np.clip(gains, 1 / LIMIT, LIMIT).astype(np.float32)
