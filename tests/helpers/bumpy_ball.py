"""A bumpy ball on a small grid."""

import numpy as np

N = 12


def bumpy_ball(radius=3.2, bumps=0.4, seed=0):
    """A bumpy ball: distances (N, N, N) in voxels, and random colours."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.arange(N)] * 3, indexing="ij"), -1) - (N - 1) / 2
    sdf = np.linalg.norm(at, axis=-1) - radius + rng.normal(0, bumps, (N, N, N))
    return sdf, rng.random((N, N, N, 3))
