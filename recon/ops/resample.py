"""Views at another size: colours weighted by alpha, every pixel the mean over its area."""

import numpy as np

from zero123pp.cameras import resized
from zero123pp.images import premultiply, unpremultiply
from zero123pp.types import View


def premultiplied(view: View) -> np.ndarray:
    """(H, W, 4) colour times alpha, and alpha."""
    return premultiply(np.concatenate([view.rgb, view.alpha[..., None]], axis=-1))


def straight(rgba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied RGBA (H, W, 4) to straight colour (H, W, 3) and alpha (H, W)."""
    alpha = np.clip(rgba[..., 3], 0, 1)
    rgb = np.clip(rgba[..., :3] / np.maximum(alpha, 1e-6)[..., None], 0, 1)
    return np.where(alpha[..., None] > 1e-6, rgb, 0), alpha


def shrunk(view: View, factor: float) -> View:
    """`resampled` with the sides divided by about ``factor``; the view itself when that is 1 or less."""
    height, width = view.alpha.shape
    new_height, new_width = max(round(height / factor), 1), max(round(width / factor), 1)
    if factor <= 1 or (new_height, new_width) == (height, width):
        return view
    return resampled(view, new_width, new_height)


def resampled(view: View, new_width: int, new_height: int) -> View:
    """The view at another size, every pixel the mean over its area.

    Colour is averaged with alpha as weight, and normals are averaged without being made unit again: their length
    tells how much they agree. Depth is dropped.
    """
    from scipy.sparse import csr_matrix

    height, width = view.alpha.shape
    # Sparse products add in one order; dense ones are left to BLAS, whose sums depend on the number of its threads.
    down, across = csr_matrix(area_matrix(height, new_height)), csr_matrix(area_matrix(width, new_width))

    def average(values: np.ndarray) -> np.ndarray:
        rows = (down @ values.reshape(height, -1)).reshape(new_height, width, -1)
        columns = across @ rows.swapaxes(0, 1).reshape(width, -1)
        return columns.reshape(new_width, new_height, -1).swapaxes(0, 1)

    rgba = unpremultiply(average(premultiplied(view)))
    normal = None if view.normal is None else average(view.normal)
    return View(
        rgba[..., :3],
        rgba[..., 3],
        resized(view.camera, new_width, new_height),
        normal=normal,
        confidence=view.confidence,
    )


def area_matrix(size: int, new_size: int) -> np.ndarray:
    """(new_size, size) float32: each new pixel is the mean of the old ones it covers, fractions included."""
    edges = np.linspace(0, size, new_size + 1)
    low = np.maximum(edges[:-1, None], np.arange(size))
    high = np.minimum(edges[1:, None], np.arange(size) + 1)
    return (np.maximum(high - low, 0) * new_size / size).astype(np.float32)
