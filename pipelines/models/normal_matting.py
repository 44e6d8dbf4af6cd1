"""Alpha of a generated sheet from its generated normals (Zero123++ v1.2).

Where the normal generator draws a vector of length one there is object, where it draws gray (length zero) there is
none; closed-form matting (Levin et al. 2008) finds the alpha of the pixels between.
"""

import numpy as np

from zero123pp.errors import BadInput, MissingBackend

_FOREGROUND_LENGTH = 0.6
"""Normals longer than this are object for certain."""
_BACKGROUND_LENGTH = 0.2
"""Normals shorter than this are background for certain."""
_MARGIN = np.ones((4, 4), bool)
"""Both certain regions shrink by this much, which leaves the edge to the matting."""

INSTALL = "pip install 'zero123pp[normals]'"


def matte_from_normals(sheet: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a sheet out of its background by the normals of the same sheet.

    Args:
        sheet: (H, W, 3) uint8 as generated.
        normals: (H, W, 3) uint8, n = 2 px / 255 - 1, gray where there is no object.

    Returns:
        The cutout (H, W, 4) uint8 with straight alpha and the colours of the object alone, and the normals
        (H, W, 3) uint8 of unit length, composited on gray.

    Raises:
        BadInput: sheets of different sizes, or normals without any object or any background.
        MissingBackend: pymatting is not installed.
    """
    if sheet.shape != normals.shape or sheet.ndim != 3 or sheet.shape[2] != 3:
        raise BadInput(f"sheet is {sheet.shape} and its normals {normals.shape}; expected the same (H, W, 3)")
    vectors = normals / 255.0 * 2 - 1
    marks = trimap(vectors)
    for value, what in ((255, "object"), (0, "background")):
        if not (marks == value).any():
            raise BadInput(f"the normal sheet shows no {what}; it does not belong to a Zero123++ sheet")
    alpha, foreground = _closed_form(sheet / 255.0, marks / 255.0)
    cutout = np.clip(np.concatenate([foreground, alpha[..., None]], -1) * 255, 0, 255).astype(np.uint8)
    unit = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-8) * 0.5 + 0.5
    on_gray = unit * alpha[..., None] + 0.5 * (1 - alpha[..., None])
    return cutout, np.clip(on_gray * 255, 0, 255).astype(np.uint8)


def trimap(vectors: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of normals (H, W, 3): 255 certain object, 0 certain background, 128 to be found."""
    from scipy.ndimage import binary_erosion

    length = np.linalg.norm(vectors, axis=-1)
    marks = np.full(length.shape, 128, np.uint8)
    marks[binary_erosion(length > _FOREGROUND_LENGTH, _MARGIN)] = 255
    marks[binary_erosion(length < _BACKGROUND_LENGTH, _MARGIN, border_value=1)] = 0
    return marks


def _closed_form(image: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alpha (H, W) and object colours (H, W, 3) by closed-form matting and multi-level foreground estimation."""
    try:
        import pymatting
    except ImportError as error:
        raise MissingBackend(f"matting by normals needs {error.name}, which is not installed; {INSTALL}") from error
    alpha = pymatting.estimate_alpha_cf(image, marks)
    return alpha, pymatting.estimate_foreground_ml(image, alpha)
