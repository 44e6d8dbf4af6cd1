"""Random displacements of a picture that vary slowly over it."""

import numpy as np


def smooth_field(shape: tuple[int, int], smoothness_px: float, rng: np.random.Generator) -> np.ndarray:
    """A random smooth displacement field (2, H, W), rows then columns; each component has root mean square 1.

    White noise under a Gaussian, made on a grid of a quarter of its standard deviation and interpolated by cubic
    splines, which is as smooth and much faster than filtering at full size.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    step = max(smoothness_px / 4, 1.0)
    margin = int(np.ceil(4 * smoothness_px / step))  # so that the border is no special place
    coarse = [int(np.ceil(side / step)) + 2 * margin + 1 for side in shape]
    at = np.indices(shape) / step + margin
    noise = (gaussian_filter(component, smoothness_px / step) for component in rng.normal(size=(2, *coarse)))
    field = np.stack([map_coordinates(component, at, order=3) for component in noise])
    return field / np.sqrt(np.mean(field**2, axis=(1, 2), keepdims=True))
