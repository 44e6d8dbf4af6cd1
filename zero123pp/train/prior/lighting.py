"""Light of environment maps on the shape prior's pictures."""

from collections.abc import Sequence

import numpy as np

from zero123pp.images import linear_to_srgb, srgb_to_linear
from zero123pp.train.one_view import harmonics


def random_light(lights: Sequence[np.ndarray], rng: np.random.Generator) -> "Light":
    """One of the lights, turned about the vertical, of random strength and softness."""
    coefficients = lights[rng.integers(len(lights))].copy()
    coefficients[1:] *= rng.uniform(0.3, 1.0)
    coefficients *= rng.uniform(0.75, 1.15) / np.pi
    if rng.random() < 0.5:  # white balance
        coefficients = coefficients * (coefficients[0].mean() / coefficients[0])
    return Light(coefficients, rng.uniform(0, 2 * np.pi))


class Light:
    """Shades matt surfaces."""

    def __init__(self, coefficients: np.ndarray, yaw: float) -> None:
        self._coefficients = coefficients.astype(np.float32)
        self._turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)

    def shade(self, rgb: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Colours (..., 3), sRGB in [0, 1], of surfaces with these colours and world normals (..., 3)."""
        light = np.clip(harmonics(normals @ self._turn.T) @ self._coefficients, 0.02, None)
        return linear_to_srgb(np.clip(srgb_to_linear(rgb) * light, 0, 1)).astype(np.float32)
