"""Pictures made worse the way generated ones are: views that disagree in shape and brightness, noise and blur."""

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.recon.consistency import warped
from zero123pp.recon.ops import premultiplied, smooth_field, straight
from zero123pp.types import View

_REFERENCE_PX = 320
"""Lengths in px are those of a tile of this size and scale with the tile."""


@dataclass(frozen=True)
class Degradation:
    """How much worse; all zero leaves a view as it is."""

    warp_px: float = 0.0
    """Root mean square of each component (x and y) of a smooth displacement field, px of a 320 px tile."""
    warp_smoothness_px: float = 40.0
    """Standard deviation of the Gaussian that smooths the displacement field, px of a 320 px tile."""
    gain: float = 0.0
    """Each view's sRGB values are multiplied by one factor drawn uniformly from [1 - gain, 1 + gain]."""
    noise: float = 0.0
    """Standard deviation of independent Gaussian noise on the sRGB values, which lie in [0, 1]."""
    blur_px: float = 0.0
    """Standard deviation of a Gaussian blur of colour and alpha, px of a 320 px tile."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} is {value!r}; expected a number of at least 0")
        if self.warp_px and not self.warp_smoothness_px:
            raise ConfigError("warp_smoothness_px is 0; a warp needs a smooth field, for example 40")

    @property
    def label(self) -> str:
        """Short name for files and tables: 'clean', or for example 'warp3_gain0.05'."""
        amounts = {"warp": self.warp_px, "gain": self.gain, "noise": self.noise, "blur": self.blur_px}
        return "_".join(f"{name}{amount:g}" for name, amount in amounts.items() if amount) or "clean"


def degrade(view: View, degradation: Degradation, *, key: str, index: int, seed: int = 0) -> View:
    """``view`` after warp, blur, gain and noise, in that order.

    The draws depend on ``seed``, the object's ``key`` and the view's ``index`` alone, so that an object meets the
    same disturbance whatever else is evaluated beside it. Depth and normals are warped along and otherwise kept.
    """
    rng = np.random.default_rng([seed, crc32(key.encode()), index])
    scale = view.camera.width / _REFERENCE_PX
    if degradation.warp_px:
        field = smooth_field(view.alpha.shape, degradation.warp_smoothness_px * scale, rng)
        view = warped(view, degradation.warp_px * scale * field)
    if degradation.blur_px:
        view = _blurred(view, degradation.blur_px * scale)
    rgb = view.rgb
    if degradation.gain:
        rgb = rgb * (1 + degradation.gain * rng.uniform(-1, 1))
    if degradation.noise:
        rgb = rgb + rng.normal(0, degradation.noise, rgb.shape)
    return view if rgb is view.rgb else replace(view, rgb=np.clip(rgb, 0, 1))


def _blurred(view: View, sigma: float) -> View:
    from scipy.ndimage import gaussian_filter

    rgb, alpha = straight(gaussian_filter(premultiplied(view), (sigma, sigma, 0), mode="constant"))
    return replace(view, rgb=rgb, alpha=alpha)
