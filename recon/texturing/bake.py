"""Back-projection: what colour do the pictures give each texel?

The weight of a view at a texel is confidence x (cosine x relative resolution)^sharpness x trust, where the cosine is
that between the texel's normal and the direction to the camera, and trust ramps from 0 to 1 over some pixels from the
edge of the view's mask and from places where a nearer part of the object hides what is behind. Hidden texels have
weight 0 (z-buffer test).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import resized
from zero123pp.machine import in_threads
from zero123pp.recon.ops import kernel_input
from zero123pp.recon.ops.raster import rasterize
from zero123pp.recon.texturing.fill import fill_nearest
from zero123pp.types import Mesh, View

OPAQUE = 0.99
"""Alpha from which a pixel's colour is the object's alone."""

DEPTH_SCALE = 2
"""Depth pixels a picture pixel and side, for the test what hides what."""

STEEPEST = 5.0
"""Slope (tangent of the angle to the picture plane) up to which a smooth surface is no depth edge."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points on the surface that want a colour."""

    position: np.ndarray
    """(n, 3) float32, world frame."""
    normal: np.ndarray
    """(n, 3) float32, unit."""


@dataclass(frozen=True)
class Source:
    """A view made ready for look-ups."""

    view: View
    picture: np.ndarray
    """(H, W, 4) float32: colour and trust."""
    depth: np.ndarray
    """(Hd, Wd) float32 depth of the mesh from this camera, 0 where there is none."""


def prepare(view: View, mesh: Mesh, edge_px: float, depth_step: float) -> Source:
    """The view's colours carried on beyond its mask, its trust, and the depth that its camera sees.

    Args:
        view: any size.
        mesh: the surface, world frame.
        edge_px: pixels over which trust ramps up from the mask's edge.
        depth_step: least jump of depth between neighbouring pixels that counts as an edge, world units.
    """
    opaque = view.alpha >= OPAQUE
    if not opaque.any():
        opaque = view.alpha >= view.alpha.max() * OPAQUE
    camera = view.camera
    fine = resized(camera, DEPTH_SCALE * camera.width, DEPTH_SCALE * camera.height)
    depth = rasterize(mesh.vertices, mesh.faces, fine).depth
    at_pixels = rasterize(mesh.vertices, mesh.faces, camera).depth
    # Half a pixel inside the mask colours are pure, and `fill_nearest` carries them on. At a depth edge the pixel
    # itself shows both surfaces, and a bilinear look-up reaches one pixel further.
    inside_mask = _distance_to(~opaque | (view.alpha <= 0)) - 0.5
    steepest = STEEPEST * at_pixels / camera.fx
    off_edges = _distance_to(_at_a_depth_edge(at_pixels, np.maximum(depth_step, steepest))) - 1.0
    trust = np.clip(np.minimum(inside_mask, off_edges) / max(edge_px, 0.5), 0, 1)
    picture = np.concatenate([fill_nearest(view.rgb, opaque), trust[..., None]], axis=-1)
    return Source(view, np.ascontiguousarray(picture, np.float32), depth)


def _distance_to(marked: np.ndarray) -> np.ndarray:
    """Distance (H, W) of each pixel to the nearest marked one or to the outside of the picture, px."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(np.pad(~marked, 1))[1:-1, 1:-1]


def _at_a_depth_edge(depth: np.ndarray, step: np.ndarray) -> np.ndarray:
    """(H, W) bool, pixels beside one that is nearer or farther by more than ``step``: they may show both surfaces."""
    here = np.where(depth > 0, depth, np.nan)  # the outline against nothing is the mask's business
    edge = np.zeros(depth.shape, bool)
    down = np.abs(here[1:] - here[:-1]) > np.minimum(step[1:], step[:-1])
    right = np.abs(here[:, 1:] - here[:, :-1]) > np.minimum(step[:, 1:], step[:, :-1])
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def see(
    source: Source, points: SurfacePoints, sharpness: float, resolution: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What one view says about surface points.

    Args:
        source: from `prepare`.
        points: n of them.
        sharpness: exponent of the weight.
        resolution: pixels per world unit that count as 1.

    Returns:
        weight (n,) and view score (n,) float32, trust x cosine x relative resolution, both 0 where the point is not
        seen; colours (n, 3) float32 sRGB.
    """
    from zero123pp.recon.texturing.texel_kernels import look

    camera = source.view.camera
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    trust, view_score, colors = look(
        kernel_input(points.position, np.float32), kernel_input(points.normal, np.float32), camera.world_from_cam,
        intrinsics, source.picture, source.depth, resolution,
    )  # fmt: skip
    return source.view.confidence * trust * view_score ** np.float32(sharpness), trust * view_score, colors


@dataclass(frozen=True)
class Blend:
    """What all views together say about surface points."""

    color: np.ndarray
    """(n, 3) float32 sRGB, 0 where unseen."""
    view_score: np.ndarray
    """(n,) float32, trust x cosine x relative resolution of the view that sees best, 0 where unseen."""
    confidence: np.ndarray
    """(n,) float32, that of the views, as they take part in the colour; 0 where unseen."""
    share: np.ndarray
    """(V,) share of the seen points' colour that each view gave, summing to 1."""


def blend(
    sources: Sequence[Source], points: SurfacePoints, gains: np.ndarray, sharpness: float, resolution: float
) -> Blend:
    """Weighted mean of what all views say.

    Args:
        sources: V prepared views.
        points: n surface points.
        gains: (V,) factors for each view's colours.
        sharpness: exponent of the weight.
        resolution: pixels per world unit that count as 1.
    """
    count = len(points.position)
    color, total, best = np.zeros((count, 3), np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32)
    weights = []
    found = in_threads(lambda source: see(source, points, sharpness, resolution), sources)
    for (weight, view_score, seen), gain in zip(found, np.asarray(gains, np.float32)):
        color += (weight * gain)[:, None] * seen
        total += weight
        np.maximum(best, view_score, out=best)
        weights.append(weight)
    known = total > 0
    trusted = sum(source.view.confidence * weight for source, weight in zip(sources, weights))
    color /= np.where(known, total, 1)[:, None]
    share = [float((weight[known] / total[known]).mean()) if known.any() else 0.0 for weight in weights]
    return Blend(color, best, trusted / np.where(known, total, 1), np.array(share))
