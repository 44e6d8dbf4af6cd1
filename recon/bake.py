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
from zero123pp.recon.fill import fill_nearest
from zero123pp.recon.ops.raster import rasterize
from zero123pp.types import Mesh, View

OPAQUE = 0.99
"""Alpha from which a pixel's colour is the object's alone."""


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
    """(H, W, 7) float32: colour, low-pass colour, trust."""
    depth: np.ndarray
    """(Hd, Wd) float32 depth of the mesh from this camera, 0 where there is none."""


def prepare(view: View, mesh: Mesh, edge_px: float, blur_px: float, depth_step: float) -> Source:
    """The view's colours carried on beyond its mask, its trust, and the depth that its camera sees.

    Args:
        view: any size.
        mesh: the surface, world frame.
        edge_px: pixels over which trust ramps up from the mask's edge.
        blur_px: standard deviation of the low-pass filter, px.
        depth_step: jump of depth between neighbouring pixels that counts as an edge, world units.
    """
    from scipy.ndimage import distance_transform_edt

    solid = view.alpha >= OPAQUE
    if not solid.any():
        solid = view.alpha >= view.alpha.max() * OPAQUE
    camera = view.camera
    depth = rasterize(mesh.vertices, mesh.faces, resized(camera, 2 * camera.width, 2 * camera.height)).depth
    coarse = depth[::2, ::2]
    trusted = solid & (view.alpha > 0) & ~_behind_an_edge(coarse, depth_step)
    # Pad: the border of the picture is an edge, too; what lies beyond it is unknown.
    inside = distance_transform_edt(np.pad(trusted, 1))[1:-1, 1:-1]
    trust = np.clip((inside - 0.5) / max(edge_px, 0.5), 0, 1)
    rgb = fill_nearest(view.rgb, solid)
    picture = np.concatenate([rgb, _low_pass(rgb, solid, blur_px), trust[..., None]], axis=-1)
    return Source(view, np.ascontiguousarray(picture, np.float32), depth)


def _low_pass(rgb: np.ndarray, solid: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of the colours inside the mask (normalised convolution)."""
    from scipy.ndimage import gaussian_filter

    if sigma <= 0:
        return rgb
    weight = gaussian_filter(solid.astype(np.float32), sigma, truncate=3)
    mean = gaussian_filter(rgb * solid[..., None], (sigma, sigma, 0), truncate=3) / np.maximum(weight, 1e-6)[..., None]
    return np.where(weight[..., None] > 1e-3, mean, rgb)


def _behind_an_edge(depth: np.ndarray, step: float) -> np.ndarray:
    """(H, W) bool, pixels next to one that is nearer by more than ``step``: they may show the nearer surface."""
    nearest = depth.copy()
    nearest[depth <= 0] = np.inf
    framed = np.pad(nearest, 1, constant_values=np.inf)
    for around in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        nearest = np.minimum(nearest, around)
    return depth > nearest + step


def see(source: Source, points: SurfacePoints, sharpness: float, resolution: float) -> tuple[np.ndarray, np.ndarray]:
    """What one view says about surface points.

    Args:
        source: from `prepare`.
        points: n of them.
        sharpness: exponent of the weight.
        resolution: pixels per world unit that count as 1.

    Returns:
        weight (n,) float32, 0 where the point is not seen; values (n, 6) float32: colour and low-pass colour.
    """
    from zero123pp.recon.texel_kernels import look

    camera = source.view.camera
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    weight, values = look(
        points.position, points.normal, camera.world_from_cam, intrinsics, source.picture, source.depth, resolution
    )
    return source.view.confidence * weight[:, 0] * weight[:, 1] ** np.float32(sharpness), values


@dataclass(frozen=True)
class Blend:
    """What all views together say about surface points."""

    color: np.ndarray
    """(n, 3) float32 sRGB, 0 where unseen."""
    weight: np.ndarray
    """(n,) float32, 0 where unseen."""
    share: np.ndarray
    """(V,) share of the seen points' colour that each view gave, summing to 1."""


def blend(
    sources: Sequence[Source],
    points: SurfacePoints,
    gains: np.ndarray,
    sharpness: float,
    detail_sharpness: float,
    resolution: float,
) -> Blend:
    """Two-band mean of all views: low-pass colours with the weights of ``sharpness``, details with sharper ones.

    Broad colours mix softly, so that views of unlike exposure leave no seam; details come nearly from the best view
    alone, so that views which disagree by some pixels leave no ghosts (Burt and Adelson, "A multiresolution spline",
    1983, with two bands).

    Args:
        sources: V prepared views.
        points: n surface points.
        gains: (V, 3) factors for each view's colours.
        sharpness: weight exponent of the low-pass band.
        detail_sharpness: weight exponent of the rest.
        resolution: pixels per world unit that count as 1.
    """
    count = len(points.position)
    soft_sum, sharp_sum = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    soft_total, sharp_total = np.zeros(count, np.float32), np.zeros(count, np.float32)
    share = []
    for source, gain in zip(sources, np.asarray(gains, np.float32)):
        soft, values = see(source, points, sharpness, resolution)
        sharp = soft ** np.float32(detail_sharpness / sharpness)
        soft_sum += soft[:, None] * (values[:, 3:] * gain)
        sharp_sum += sharp[:, None] * ((values[:, :3] - values[:, 3:]) * gain)
        soft_total += soft
        sharp_total += sharp
        share.append(soft)
    seen = soft_total > 0
    color = soft_sum / np.where(seen, soft_total, 1)[:, None]
    color += sharp_sum / np.where(sharp_total > 0, sharp_total, 1)[:, None]
    share = [float((soft[seen] / soft_total[seen]).mean()) if seen.any() else 0.0 for soft in share]
    return Blend(color, soft_total, np.array(share))
