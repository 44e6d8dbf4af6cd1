"""From how solid places probably are to a solid that shows the picture's outline.

One picture leaves the depth open. A network that says so gives many places along a ray a middling probability, and any
one threshold then makes some objects far too deep or cuts others away. What its answer does tell is how thick the
object is along a ray on average: the integral of the probability. Every ray gets the threshold that keeps that.
"""

import numpy as np

from zero123pp.recon.prior.rays import Rays, evened, extended, nearest
from zero123pp.recon.prior.runtime import SOFTNESS

_CERTAIN = 3 * SOFTNESS
"""Beyond this a distance says no more about which side of the surface a place is on."""

_THRESHOLDS = (0.2, 0.6)
"""Least and greatest of a ray."""

_OF_THE_MOST = 0.85
"""A ray's threshold over the greatest probability on it, at most: walls that blurring thinned stay."""

_EVEN_RAYS = 3.0
"""Rays, standard deviation: over so many a threshold is the mean."""


def probable_solid(distances: np.ndarray, cone: np.ndarray, rays: Rays, blur: float) -> np.ndarray:
    """Distances (N, N, N) whose zero is the surface, from those of the network; not cut off by the outline.

    Args:
        distances: (N, N, N) of the network; what is outside of the cone is not looked at.
        cone: (N, N, N) signed distance to the cone of the outline.
        rays: of the picture.
        blur: voxels, standard deviation: features looked up in one picture are the same all along a ray, and what they
            get wrong would stand out as fins along the line of sight. The outline stays sharp.
    """
    within = cone < 0
    inwards = nearest(within)
    even = evened(np.clip(distances, -_CERTAIN, _CERTAIN), within, blur)[inwards]
    thickness = rays.along(_probability(distances[inwards]), 0).sum(-1)
    thickness = evened(thickness, rays.inside, _EVEN_RAYS)
    falling = np.sort(rays.along(_probability(even), 0), -1)[..., ::-1]
    last = np.clip(np.round(thickness).astype(int), 1, falling.shape[-1] - 1)
    threshold = np.take_along_axis(falling, last[..., None], -1)[..., 0]
    threshold = evened(np.clip(threshold, *_THRESHOLDS), rays.inside, _EVEN_RAYS)
    threshold = np.maximum(np.minimum(threshold, _OF_THE_MOST * falling[..., 0]), _THRESHOLDS[0])
    threshold = rays.at_nodes(extended(threshold, rays.inside))
    return even - np.float32(SOFTNESS) * np.log(1 / threshold - 1)


def _probability(distances: np.ndarray) -> np.ndarray:
    """Of being solid, see `SOFTNESS`."""
    return 1 / (1 + np.exp(distances / np.float32(SOFTNESS)))


_EVEN_SURFACE = 0.8
"""Voxels, standard deviation: a round edge is given ray by ray, and should not show it."""


def largest_piece(sdf: np.ndarray, cone: np.ndarray, outside: float) -> np.ndarray:
    """The distances (N, N, N) without all but the largest solid that is connected in the cone (N, N, N).

    The nodes of the others become ``outside``.

    Far in front of and behind an object one picture says nothing, and what little is imagined there would decide the
    scale of the whole. What the outline asks for comes back in `with_outline`.
    """
    from scipy.ndimage import label

    pieces, count = label(np.maximum(sdf, cone) < 0)
    if count < 2:
        return sdf
    largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
    return np.where((pieces > 0) & (pieces != largest), np.float32(outside), sdf)


def round_edged(sdf: np.ndarray, cone: np.ndarray, rays: Rays, share: float, thinnest: float) -> np.ndarray:
    """The solid with the edge round that its outline cuts: few things have an edge just where they are seen to end.

    Args:
        sdf: (N, N, N), not yet cut off by the outline.
        cone: (N, N, N) signed distance to the cone of the outline.
        rays: of the picture.
        share: radius of the edge, over half the thickness there; 0 leaves it, 1 makes half an ellipse of a bar.
        thinnest: half the least thickness that stays.
    """
    if share == 0:
        return sdf
    met, middle, thick = _extent(rays.along(np.maximum(sdf, cone), thinnest) < 0, rays)
    if not met.any():
        return sdf
    middle = extended(evened(middle, thick, _EVEN_RAYS), met)
    half = np.maximum(extended(evened(thick / 2, met, _EVEN_RAYS), met), thinnest)
    inward = np.clip(rays.edge / (share * half), 0, 1)
    most = half * np.sqrt(1 - (1 - inward) ** 2) * (1 + inward**4)  # no limit beyond the edge
    limit = np.abs(rays.node_depths - rays.at_nodes(middle)) - rays.at_nodes(np.maximum(most, thinnest))
    within = cone < 0
    return extended(evened(np.maximum(sdf, limit), within, _EVEN_SURFACE), within)


def with_outline(sdf: np.ndarray, cone: np.ndarray, rays: Rays, thinnest: float) -> np.ndarray:
    """The solid changed so that the camera sees exactly the outline.

    Outside of the cone it is cut off. Where rays inside the outline meet no solid (thin parts, mostly), a limb as thick
    as it is wide is put: about the middle of the solid on the nearest ray that meets some.

    Args:
        sdf: (N, N, N) signed distances over [-1, 1]^3.
        cone: (N, N, N) those of the cone of the outline.
        rays: of the picture.
        thinnest: half the least thickness of what appears.
    """
    from scipy.ndimage import maximum_filter

    resolution = len(sdf)
    met, middle, thick = _extent(rays.along(np.maximum(sdf, cone), thinnest) < 0, rays)
    blur = resolution / _MIDDLE_BLUR
    if met.any():  # rays that only graze the solid say little about its middle
        middle = extended(evened(middle, thick, blur), met)
    else:  # nothing but the outline: about the middle of the cube
        middle = np.full(met.shape, rays.node_depths.mean())
    middle = evened(middle, np.ones_like(middle), blur / 2)
    bare = maximum_filter((rays.inside & ~met).astype(np.float32), 3)  # one more, so that limbs and solid meet
    limb = np.abs(rays.node_depths - rays.at_nodes(middle))
    limb -= np.maximum(-cone, thinnest)  # the distance from the outline: as far from the middle as from the edge
    asked = rays.at_nodes(bare, order=0) > 0
    return np.maximum(np.where(asked, np.minimum(sdf, limb), sdf), cone).astype(np.float32)


_MIDDLE_BLUR = 16.0
"""The middle of the solid is a mean over the grid's nodes over this, as a standard deviation."""


def _extent(solid: np.ndarray, rays: Rays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each ray meets what is solid (N, N, K), the depth of its middle, and how thick it is; each (N, N)."""
    met = solid.any(-1)
    first, last = rays.depths[solid.argmax(-1)], rays.depths[::-1][solid[..., ::-1].argmax(-1)]
    return met, (first + last) / 2, np.where(met, last - first + rays.step, 0)
