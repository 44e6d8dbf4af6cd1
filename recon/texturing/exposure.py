"""Factors that make overlapping views agree in brightness."""

import numpy as np

PRIOR = 0.05
"""Weight of "every factor is 1" relative to the pair of views that overlaps most."""

LIMIT = 1.25
"""No factor leaves [1/LIMIT, LIMIT]: a larger difference is no exposure, but another colour."""


def match_gains(colors: np.ndarray, weights: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """One factor for each view.

    Each pair of views gives the ratio r_ij of their mean brightness over the points both see. Factors g minimise the
    sum over pairs of overlap_ij (log g_i - log g_j - log r_ji)^2 with a prior that holds them near 1, more so for
    trusted views. Means are compared and not points: views that disagree by some pixels have the same means.

    Args:
        colors: (V, n, 3) what each view sees at n points, sRGB.
        weights: (V, n), 0 where it sees nothing.
        confidence: (V,) trust in the views.

    Returns:
        (V,) factors; all 1 where views do not overlap.
    """
    brightness = colors.mean(-1, dtype=np.float64)  # (V, n)
    weights = weights / max(float(weights.max()), 1e-12)
    overlap = np.einsum("in,jn->ij", weights, weights, dtype=np.float64)
    seen = np.einsum("in,jn->ij", weights * brightness, weights, dtype=np.float64)  # of view i, where j looks as well
    np.fill_diagonal(overlap, 0)
    usable = (overlap > 0) & (seen > 1e-3 * overlap) & (seen.T > 1e-3 * overlap)
    overlap = np.where(usable, overlap, 0)
    if not usable.any():
        return np.ones(len(colors))
    log_ratio = np.log(np.where(usable, seen.T, 1)) - np.log(np.where(usable, seen, 1))
    prior = PRIOR * overlap.max() * confidence / confidence.max()
    system = np.diag(overlap.sum(1) + prior) - overlap
    return np.clip(np.exp(np.linalg.solve(system, (overlap * log_ratio).sum(1))), 1 / LIMIT, LIMIT)
