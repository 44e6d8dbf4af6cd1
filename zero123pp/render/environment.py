"""Environment maps as lights: directions, and drawing them in proportion to their brightness.

A map is equirectangular, y up. Column u in [0, 1] has azimuth 180 - 360 u degrees (`zero123pp.cameras`), so its middle
lies in direction +z, and what stands to its right stands to the right of a viewer in the middle of the world.
"""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.types import ByContent

WIDTH_PX = 512
"""Maps are averaged down to this width: 0.7 degrees a texel, as wide as the sun is with its glare."""


@dataclass(frozen=True, eq=False)
class Environment(ByContent):
    """Light from far away, from every direction; constant on each texel of its map."""

    radiance: np.ndarray
    """(H, W, 3) float32, linear."""
    row_cdf: np.ndarray
    """(H,) float64, chance that a drawn direction lies in a row up to this one."""
    column_cdf: np.ndarray
    """(H, W) float64, likewise along a row."""
    density: np.ndarray
    """(H, W) float32, of drawn directions, per steradian."""

    @classmethod
    def of(cls, panorama: np.ndarray, *, turn_deg: float = 0.0, balanced: bool = False) -> "Environment":
        """The light of a panorama (H, W, 3), linear, scaled so that a matt white ball is 1 bright on average.

        Args:
            panorama: of at least 2 x 4 px; twice as wide as high.
            turn_deg: by this much the surroundings are turned counter-clockwise seen from above; rounded to a texel.
            balanced: take the mean colour out, as a camera's white balance does.

        Raises:
            BadInput: see `shrunk`; or the map is black.
        """
        radiance = shrunk(panorama)
        height, width = radiance.shape[:2]
        # A larger azimuth lies further to the left.
        radiance = np.roll(radiance, -round(turn_deg / 360 * width), axis=1)
        share = _solid_angles(height, width) / (4 * np.pi)  # (H, 1), sums to 1 over all texels
        mean = (radiance * share[..., None]).sum((0, 1))
        if not mean.mean() > 0:
            raise BadInput("an environment map is black; it gives no light")
        radiance = (radiance / (np.maximum(mean, 1e-3 * mean.mean()) if balanced else mean.mean())).astype(np.float32)
        weight = (radiance.mean(-1) * share).astype(np.float64)
        rows = weight.sum(1)
        density = weight / weight.sum() / (share * 4 * np.pi)
        columns = np.cumsum(weight, 1) / np.maximum(rows, 1e-300)[:, None]
        columns[:, -1] = 1
        row_cdf = np.cumsum(rows) / rows.sum()
        row_cdf[np.flatnonzero(rows)[-1] :] = 1  # rounding must not send a draw into a black row
        return cls(radiance, row_cdf, columns, density.astype(np.float32))


def _checked(panorama: np.ndarray) -> np.ndarray:
    shape = panorama.shape
    if len(shape) != 3 or shape[2] != 3 or shape[1] != 2 * shape[0] or shape[0] < 2:
        raise BadInput(f"an environment map has shape {shape}; expected (H, 2 H, 3)")
    if not np.isfinite(panorama).all() or (panorama < 0).any():
        raise BadInput("an environment map has radiances that are negative or not finite")
    return np.asarray(panorama, np.float64)


def _solid_angles(height: int, width: int) -> np.ndarray:
    """(H, 1) steradians of a texel of each row."""
    edges = np.cos(np.pi * np.arange(height + 1) / height)
    return (edges[:-1] - edges[1:])[:, None] * (2 * np.pi / width)


def shrunk(panorama: np.ndarray) -> np.ndarray:
    """A map (H, 2 H, 3) as float64 means over blocks, weighted by solid angle, about WIDTH_PX wide.

    Raises BadInput for another shape, and for values that are no radiance.
    """
    panorama = _checked(panorama)
    height, width = panorama.shape[:2]
    block = max(1, width // WIDTH_PX)
    while width % block or height % block:
        block -= 1
    angles = _solid_angles(height, width)
    blocks = (panorama * angles[..., None]).reshape(height // block, block, width // block, block, 3).sum((1, 3))
    return blocks / (angles.reshape(-1, block).sum(1) * block)[:, None, None]
