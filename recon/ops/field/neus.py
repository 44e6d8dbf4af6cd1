"""From signed distances along a ray to opacity: the one home of the formula of NeuS.

Wang et al., "NeuS: Learning neural implicit surfaces by volume rendering for multi-view reconstruction", NeurIPS 2021.
Plain scalar arithmetic, so that the Numba kernels inline it; with NumPy arrays it works element by element.
"""

import numba
import numpy as np


@numba.extending.register_jitable
def logistic(x: float) -> float:
    """Logistic function, the cumulative density Phi_s(f) of eq. 2 for x = s f; below x = -60 it stays at that value.

    The floor keeps ratios of two values finite in single precision.
    """
    return 1 / (1 + np.exp(np.minimum(-x, x * 0 + 60)))


@numba.extending.register_jitable
def section_transmittance(near: float, far: float) -> float:
    """Share of the light that passes a section of a ray: 1 - alpha of eq. 13.

    Args:
        near: `logistic` of sharpness times the signed distance at the section's near end.
        far: the same at its far end.

    For s the sharpness and f the distances, d(1 - alpha)/df_near = -(1 - alpha) s (1 - near) and
    d(1 - alpha)/df_far = (1 - alpha) s (1 - far) where far < near; both are 0 where the surface is left.
    """
    return np.minimum(far / near, near * 0 + 1)
