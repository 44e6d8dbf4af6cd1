"""The guess that an object is a vessel, open above: what a visual hull can never show, and gradients do not find.

The hull of a pan has a lid. What stands behind the lid has no colours yet, so no small change of the surface looks
better than the lid, however badly three views that see three different walls through it agree. So the fit begins twice
at its coarsest level, from the hull and from the hull hollowed out, and goes on with the one that renders like the
views.
"""

import numpy as np

BETTER = 0.9
"""Loss of the hollow start over that of the hull, below which the object is taken for a vessel. On training objects:
.56 (saucepan) and .79 (cup) where it is one and the colours say so, .99 to 2.9 for solid ones."""
_DEEP = 3.0
"""Voxels up to which the distance from the wall is written into the opening."""


def hollowed(hull: np.ndarray, wall: float) -> np.ndarray:
    """The hull (n, n, n), in voxels, without what lies deeper than ``wall`` or above such a place; axis 1 points up."""
    deepest_below = np.minimum.accumulate(hull, axis=1)
    return np.maximum(hull, np.minimum(-wall - deepest_below, _DEEP))
