"""What an alpha holds beside the object: loose specks, soft shadows and haze, or a veil over all of it."""

import numpy as np

VISIBLE = 0.02
"""Alpha below is nothing."""
SOLID = 0.9
"""Alpha above is the object itself."""
SPECK = 0.005
"""Loose parts with less of the alpha than this share of the largest part are specks: dust, compression, brush slips."""
FAINT = 0.5
"""Loose parts that are nowhere as opaque as this are remains of a background."""

_GENTLE = 0.12
"""Change of alpha from one pixel to the next below which it is a gradient and no edge."""
_SHADOW = 0.8
"""A gradient that reaches this is the feathered edge of something solid; one that does not, while it fades out to
nothing, is a shadow or a glow."""
_FADES_TO = 0.12
_LEAST_SHADOW = 0.003
"""Smaller gradients, as a share of the solid part, are left alone: antialiased edges have such."""
_EDGE_PX = 3
_AROUND = 0.002
"""Share of nothing that a picture needs round an object that is see-through: else its alpha shows none."""
_VEIL = 0.05
"""A picture that is nowhere more opaque than this shows nothing."""


def cleaned(alpha: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """An alpha (H, W) float32 with the object alone in it, opaque, and what was done, one sentence each."""
    alpha, notes = _unveiled(np.asarray(alpha, np.float32))
    kept = _without_specks(_without_shadows(alpha))
    whole = float(alpha.sum())
    if whole and (lost := 1 - float(kept.sum()) / whole) > SPECK:
        notes.append(f"{lost:.0%} of what is visible are loose specks or a soft shadow; they are left out")
    return kept, tuple(notes)


def opacity(alpha: np.ndarray) -> float:
    """How opaque the object is at its most: 1 for ordinary cutouts, less for one that is see-through all over."""
    shown = alpha[alpha > _VEIL]
    if not shown.size or shown.size > (1 - _AROUND) * alpha.size or np.quantile(shown, 0.99) >= SOLID:
        return 1.0
    return float(np.quantile(shown, 0.95))


def _unveiled(alpha: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The alpha scaled up where it is see-through all over."""
    most = opacity(alpha)
    if most == 1.0:
        return alpha, []
    note = f"the object is see-through all over (alpha {most:.2f}); it is taken for opaque"
    return np.minimum(alpha / np.float32(most), 1).astype(np.float32), [note]


def _without_specks(alpha: np.ndarray) -> np.ndarray:
    """Without parts that hang on nothing and are tiny, or faint all over."""
    from scipy import ndimage

    labels, count = ndimage.label(alpha > _VEIL, structure=np.ones((3, 3)))
    if count < 2:
        return alpha
    numbers = np.arange(count + 1)
    weights, highest = ndimage.sum_labels(alpha, labels, numbers), ndimage.maximum(alpha, labels, numbers)
    weights[0] = 0
    kept = (weights >= SPECK * weights.max()) & (highest >= min(FAINT, highest.max()))
    kept[0] = True  # fainter than a part, but continuous with one
    return np.where(kept[labels], alpha, 0).astype(np.float32)


def _without_shadows(alpha: np.ndarray) -> np.ndarray:
    """Without gradients that fade out to nothing and are nowhere solid, see `_SHADOW`."""
    from scipy import ndimage

    partial = (alpha > VISIBLE) & (alpha < SOLID)
    least = max(16.0, _LEAST_SHADOW * np.count_nonzero(alpha >= SOLID))
    if np.count_nonzero(partial) < least:
        return alpha
    labels, count = ndimage.label(partial & (_steepness(alpha) < _GENTLE))
    numbers = np.arange(count + 1)
    drop = np.bincount(labels.ravel(), minlength=count + 1) >= least
    drop &= ndimage.maximum(alpha, labels, numbers) < _SHADOW
    drop &= ndimage.minimum(alpha, labels, numbers) < _FADES_TO
    drop[0] = False
    shadow = drop[labels]
    if not shadow.any():
        return alpha
    # Edges of the object were drawn over the shadow: alpha = object + (1 - object) shadow.
    distance, (rows, columns) = ndimage.distance_transform_edt(~shadow, return_indices=True)
    under = np.minimum(alpha[rows, columns], 0.99)
    edge = np.clip((alpha - under) / (1 - under), 0, 1)
    return np.where(shadow, 0, np.where((distance <= _EDGE_PX) & (alpha < 1), edge, alpha)).astype(np.float32)


def _steepness(alpha: np.ndarray) -> np.ndarray:
    """Largest change of alpha from a pixel to one of its four neighbours."""
    steep = np.zeros_like(alpha)
    for axis in (0, 1):
        change = np.abs(np.diff(alpha, axis=axis))
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        steep[tuple(before)] = np.maximum(steep[tuple(before)], change)
        steep[tuple(after)] = np.maximum(steep[tuple(after)], change)
    return steep
