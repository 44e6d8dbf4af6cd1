"""The dark line that is drawn round figures: it belongs to the picture, not to the object's sides."""

import numpy as np

_DARK = 0.3
"""Luma below which a pixel can be ink."""
_WIDEST = 0.035
"""Of such a line, in picture sides."""
_DRAWN = 0.75
"""Share of the outline that is dark on a figure with a line round it."""
_FIGURE = 0.35
"""Share of the rest that may be dark: what is dark itself has no line."""
_SOFT_PX = 2
"""Width of a line's soft edges."""
_LUMA = np.float32([0.299, 0.587, 0.114])


def without_ink(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture, and where a dark line runs round the object the colours that are inside of it.

    Args:
        rgb: (S, S, 3) float32 sRGB in [0, 1].
        alpha: (S, S) float32, the object is where it exceeds 1/2.

    Returns:
        (S, S, 3) float32; ``rgb`` itself where no such line is found.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt

    inside = alpha > 0.5
    depth = distance_transform_edt(inside)
    near = inside & (depth <= _WIDEST * len(rgb))
    edge, figure = inside & (depth <= 1 + _SOFT_PX), inside & ~near
    if not figure.any():
        return rgb
    dark = rgb @ _LUMA < _DARK
    if dark[edge].mean() < _DRAWN or dark[figure].mean() > _FIGURE:
        return rgb
    ink = near & binary_dilation(_reached(dark & near, edge), iterations=_SOFT_PX)
    rows, columns = distance_transform_edt(ink | ~inside, return_distances=False, return_indices=True)
    return np.where((ink | ~inside)[..., None], rgb[rows, columns], rgb)


def _reached(mask: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The pieces of ``mask`` that touch ``start``."""
    from scipy.ndimage import label

    pieces, count = label(mask, np.ones((3, 3)))
    touching = np.zeros(count + 1, bool)
    touching[np.unique(pieces[start])] = True
    touching[0] = False
    return touching[pieces]
