"""Figures of a turnaround brought into agreement: one height, and opposite sides with one outline."""

from collections.abc import Mapping

import numpy as np

from zero123pp.images import resize_planes

_OPPOSITE = (("front", "back"), ("left", "right"))
_HEIGHT_PX = 400
"""Height of the figures at most: more than the fit can show."""


def agreed(figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Figures (H, w, 4) of one height; opposite ones mirror each other's outline.

    Seen without perspective, an object has the same height from all sides, and from behind the mirrored outline: what
    was drawn otherwise is brought to the middle between both, and colours go on where an outline grew.

    Args:
        figures: side to straight colours and alpha, cut to the box.
    """
    height = min(_HEIGHT_PX, max(figure.shape[0] for figure in figures.values()))
    sized = {side: _resized(figure, height, figure.shape[1] * height / figure.shape[0]) for side, figure in
             figures.items()}  # fmt: skip
    for one, other in _OPPOSITE:
        if one in sized and other in sized:
            width = (sized[one].shape[1] + sized[other].shape[1]) / 2
            a, b = _resized(sized[one], height, width), _resized(sized[other], height, width)
            outline = (_depth(a[..., 3]) + _depth(b[:, ::-1, 3])) / 2
            sized[one], sized[other] = _reshaped(a, outline), _reshaped(b, outline[:, ::-1])
    return sized


def _resized(figure: np.ndarray, height: int, width: float) -> np.ndarray:
    from PIL import Image

    from zero123pp.images import premultiply, unpremultiply

    shape = (max(round(width), 1), height)
    if shape == (figure.shape[1], figure.shape[0]):
        return figure
    planes = resize_planes(premultiply(figure), shape, Image.Resampling.BICUBIC)
    return np.clip(unpremultiply(np.clip(planes, 0, 1)), 0, 1).astype(np.float32)


def _depth(alpha: np.ndarray) -> np.ndarray:
    """Signed distance to the outline, px, positive inside; the picture's border counts as outside."""
    from scipy.ndimage import distance_transform_edt

    inside = np.pad(alpha > 0.5, 1)
    return (distance_transform_edt(inside) - distance_transform_edt(~inside))[1:-1, 1:-1]


def _reshaped(figure: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The figure with another outline; new parts take the colour of the nearest old ones."""
    from scipy.ndimage import distance_transform_edt

    opaque = figure[..., 3] > 0.9
    if not opaque.any():
        return figure
    nearest = distance_transform_edt(~opaque, return_distances=False, return_indices=True)
    rgb = figure[..., :3][tuple(nearest)]
    return np.dstack([rgb, np.clip(outline + 0.5, 0, 1)]).astype(np.float32)
