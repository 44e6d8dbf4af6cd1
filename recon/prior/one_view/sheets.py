"""The network's maps made ready to be a solid: at the resolution of the outline, with relief, round rims, gaps."""

import numpy as np

from zero123pp.errors import StageFailed
from zero123pp.recon.prior.one_view.maps import Maps
from zero123pp.recon.prior.one_view.relief import with_relief
from zero123pp.recon.prior.one_view.solid import Sheets, SolidConfig, cosines
from zero123pp.recon.prior.one_view.turn import turned_more

_KNOWN = 0.4
"""Alpha from which a pixel of the network has depths of the object."""

_THINNEST = 0.6
"""Steps; half the least thickness inside the outline."""

_DEEPEST = 3.0
"""Half sides of the crop; depths beyond are cut off, which bounds time and memory."""

_LEAST_HOLLOW = 0.06
"""Half sides of the crop: shorter gaps along a ray are none."""

_LEAST_WALL = 2.0
"""Steps; the least thickness of the wall before and behind a gap; twice that beside it."""

_EVEN_OUTLINE = 1.5
"""Steps, standard deviation: what the outline has finer than this is no ridge along the line of sight, but as deep as
it is wide."""

_BLUNT = 1.6
"""Steps; half the thickness of the very edge, so that smoothing and simplifying leave the outline where it is."""

_RIM_WINDOW = 13
"""Steps; how far the thickness behind a rim is looked for."""

_RIM = (2.0, 14.0)
"""Steps; least and greatest width of the round rim."""


def sheets_of(maps: Maps, alpha: np.ndarray, config: SolidConfig, thickness: float = 1.0) -> Sheets:
    """The depths along the rays of the grid.

    Args:
        maps: of the network, S x S.
        alpha: (H, H) of the same crop, finer.
        config: see `SolidConfig`.
        thickness: factor of the object's depth.

    Raises StageFailed for depths that are not numbers.
    """
    from zero123pp.recon.fitting import signed_distance

    size, step = config.rays, 2 / config.rays
    if not np.isfinite(maps.depths).all():
        raise StageFailed(
            "the network's depths are not numbers; check the picture, and the weights if they are your own"
        )
    known = _resized(alpha, maps.gap.shape[0]) > _KNOWN
    depths = turned_more(np.clip(maps.depths, -_DEEPEST, _DEEPEST), known, config.turn)
    front, hollow_front, hollow_back, back = depths
    if config.relief_px > 0:
        front = with_relief(front, maps.front_normal, known, config.relief_px)
        back = with_relief(back, maps.back_normal, known, config.relief_px)
    maps_in = np.stack([front, back, hollow_front, hollow_back, maps.gap])
    front, back, hollow_front, hollow_back, gap = _spread(maps_in, known, size)
    edge = signed_distance(np.ascontiguousarray(_resized(alpha, size), np.float32)) * np.float32(step)
    middle, half = (front + back) / 2, np.maximum((back - front) / 2, _THINNEST * step)
    offset = np.median(middle[edge < 0]) if (edge < 0).any() else 0.0
    middle, half = offset + (middle - offset) * thickness, half * thickness
    hollow_front, hollow_back = (offset + (part - offset) * thickness for part in (hollow_front, hollow_back))
    if config.rounding > 0:
        half = _rounded(half, edge, step, config.rounding)
    front, back = middle - half, middle + half
    hollow_front = np.maximum(hollow_front, front + _LEAST_WALL * step / cosines(front, step))
    hollow_back = np.minimum(hollow_back, back - _LEAST_WALL * step / cosines(back, step))
    hollow = (edge < -2 * _LEAST_WALL * step) & (gap > config.least_gap) & (hollow_back - hollow_front > _LEAST_HOLLOW)
    far = np.float32(1e3)
    return Sheets(front, back, np.where(hollow, hollow_front, far), np.where(hollow, hollow_back, -far), edge)


def _rounded(half: np.ndarray, edge: np.ndarray, step: float, rounding: float) -> np.ndarray:
    """Half thicknesses (N, N) that end in a quarter of an ellipse at the outline, evened out.

    Nothing becomes less deep than it is wide by that: limbs and bumps of the outline are round.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    # The thickness a rim's width inside: a ball, which is round already, stays what it is.
    inner = gaussian_filter(maximum_filter(np.where(edge < 0, half, 0), _RIM_WINDOW), 2)
    width = np.clip(rounding * inner, _RIM[0] * step, _RIM[1] * step)
    inwards = np.clip(-gaussian_filter(edge, _EVEN_OUTLINE) / width, 0, 1)
    rim = inner * np.sqrt(1 - (1 - inwards) ** 2)
    return np.minimum(half, np.maximum(rim, np.maximum(-edge, _BLUNT * step)))


def _spread(maps: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    """Maps (C, S, S) at (C, size, size), unknown pixels with the values of the nearest known one."""
    from scipy.ndimage import distance_transform_edt, map_coordinates

    if known.any():
        rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
        maps = maps[:, rows, columns]
    at = (np.arange(size) + 0.5) / size * maps.shape[1] - 0.5
    grid = np.stack(np.meshgrid(at, at, indexing="ij"))
    return np.stack([map_coordinates(part, grid, order=1, mode="nearest", output=np.float32) for part in maps])


def _resized(alpha: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    from zero123pp.images import resize_planes

    return resize_planes(alpha, (size, size), Image.Resampling.BOX)
