"""The texture stage: unwrap the mesh, paint it from the views, fill what no view sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.errors import BadInput, ConfigError
from zero123pp.images import to_uint8
from zero123pp.recon.bake import Blend, Source, SurfacePoints, blend, prepare, see
from zero123pp.recon.exposure import match_gains
from zero123pp.recon.fill import fill_nearest, fill_on_surface
from zero123pp.recon.normals import smooth_normals
from zero123pp.recon.ops.raster import Fragments, rasterize_uv
from zero123pp.recon.render import UNPAINTED
from zero123pp.recon.unwrap import unwrap
from zero123pp.types import Mesh, TexturedMesh, View

GAIN_SAMPLES = 20000
"""Texels that the exposure factors are measured on."""

FAINT = 1e-3
"""Weight at which a texel's own colour counts as much as that of its neighbourhood; a view at 80 degrees has 1e-3."""


@dataclass(frozen=True)
class TextureConfig:
    """How the texture is made."""

    size: int = 1024
    """Side of the square texture, texels; a power of two, as game engines expect."""
    padding: int = 4
    """Least distance between UV charts, texels; keeps mipmaps from mixing charts."""
    sharpness: float = 4.0
    """Exponent of (cosine x relative resolution) in a view's weight: higher follows the best view, lower mixes more."""
    detail_sharpness: float = 8.0
    """The same for details; higher means fewer ghosts where views disagree."""
    detail_px: float = 3.0
    """Standard deviation of the low-pass filter that parts broad colours from details, px; 0 for one band."""
    edge_px: float = 4.0
    """Pixels over which a view's weight ramps up from its mask's edge and from depth edges, where it is least sure."""
    depth_step: float = 0.02
    """Jump of depth between neighbouring pixels that counts as an edge, world units (the object has diameter 1)."""
    match_gain: bool = True
    """Even out differences in exposure between overlapping views."""

    def __post_init__(self) -> None:
        if self.size < 16 or self.size > 8192 or self.size & (self.size - 1):
            raise ConfigError(f"texture.size is {self.size}; expected a power of two from 16 to 8192")
        if self.padding < 0 or self.padding > self.size // 16:
            raise ConfigError(f"texture.padding is {self.padding}; expected 0 to {self.size // 16} texels")
        if not (0 < self.sharpness <= 64 and self.sharpness <= self.detail_sharpness <= 64):
            got = (self.sharpness, self.detail_sharpness)
            raise ConfigError(f"texture.sharpness, detail_sharpness are {got}; expected 0 < sharpness <= detail <= 64")
        if self.detail_px < 0 or self.edge_px < 0 or self.depth_step <= 0:
            got = (self.detail_px, self.edge_px, self.depth_step)
            raise ConfigError(f"texture.detail_px, edge_px, depth_step are {got}; expected positive numbers")


def texture(
    mesh: Mesh,
    views: Sequence[View],
    config: TextureConfig = TextureConfig(),
    progress: Callable[[float], None] | None = None,
) -> tuple[TexturedMesh, dict]:
    """The mesh with a texture painted from posed pictures, and smooth normals.

    Args:
        mesh: closed surface, outward winding; its vertex colours are used where no view sees anything at all.
        views: any number and sizes; views with confidence 0 are left out.
        config: how.
        progress: called with fractions in [0, 1].

    Returns:
        The textured mesh, and a report: size, charts_vertices, used (share of texels on the surface), seen (share of
        those that a view sees), view_share (share of the seen texels' colour by view), gain (factor of each view).

    Raises:
        BadInput: there is no view.
        StageFailed: the mesh cannot be unwrapped.
    """
    report_progress = progress or (lambda fraction: None)
    if not any(view.confidence > 0 for view in views):
        raise BadInput(f"texturing needs a view with confidence over 0, got {len(views)} views")
    atlas = unwrap(mesh, config.size, config.padding)
    report_progress(0.4)
    normals = smooth_normals(mesh)[atlas.vertex]
    split = Mesh(mesh.vertices[atlas.vertex], atlas.faces)
    fragments = rasterize_uv(atlas.uvs, atlas.faces, config.size, config.size)
    base_color, report = _paint(mesh, fragments, split, normals, views, config, report_progress)
    report = {"size": config.size, "vertices": len(atlas.vertex), "used": float(fragments.covered.mean())} | report
    report_progress(1.0)
    return TexturedMesh(split, atlas.uvs, base_color, normals), report


def _paint(
    mesh: Mesh,
    fragments: Fragments,
    split: Mesh,
    normals: np.ndarray,
    views: Sequence[View],
    config: TextureConfig,
    progress: Callable[[float], None],
) -> tuple[np.ndarray, dict]:
    """Texture (size, size, 3) uint8 and what the report says about it."""
    sources = []
    for view in views:
        if view.confidence > 0:
            sources.append(prepare(view, mesh, config.edge_px, config.detail_px, config.depth_step))
        progress(0.4 + 0.3 * len(sources) / len(views))
    points = SurfacePoints(fragments.interpolate(split.faces, split.vertices), _unit_normals(fragments, split, normals))
    resolution = min(source.view.camera.fx / _distance(source.view, mesh) for source in sources)
    gains = _gains(sources, points, config, resolution)
    blended = blend(sources, points, gains, config.sharpness, config.detail_sharpness, resolution)
    progress(0.85)
    colors = _filled(blended, points, fragments.face[fragments.covered], mesh)
    picture = np.zeros((*fragments.face.shape, 3), np.uint8)
    picture[fragments.covered] = to_uint8(colors)
    shares = iter(blended.share.tolist())
    return fill_nearest(picture, fragments.covered), {
        "seen": float((blended.weight > 0).mean()) if len(points.position) else 0.0,
        "view_share": [next(shares) if view.confidence > 0 else 0.0 for view in views],
        "gain": gains.mean(1).tolist(),
    }


def _unit_normals(fragments: Fragments, split: Mesh, normals: np.ndarray) -> np.ndarray:
    """Smooth normals (n, 3) at the covered texels."""
    interpolated = fragments.interpolate(split.faces, normals)
    return interpolated / np.maximum(np.linalg.norm(interpolated, axis=-1, keepdims=True), 1e-6)


def _distance(view: View, mesh: Mesh) -> float:
    """From the camera to the middle of the mesh's bounding box."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    return max(float(np.linalg.norm(view.camera.world_from_cam[:3, 3] - middle)), 1e-3)


def _gains(sources: Sequence[Source], points: SurfacePoints, config: TextureConfig, resolution: float) -> np.ndarray:
    """Exposure factors (V, 3), from a regular sample of the texels."""
    if not config.match_gain or len(sources) < 2:
        return np.ones((len(sources), 3), np.float32)
    step = max(1, len(points.position) // GAIN_SAMPLES)
    sample = SurfacePoints(points.position[::step], points.normal[::step])
    seen = [see(source, sample, config.sharpness, resolution) for source in sources]
    confidence = np.array([source.view.confidence for source in sources])
    return match_gains(np.stack([values[:, 3:] for _, values in seen]), np.stack([w for w, _ in seen]), confidence)


def _filled(blended: Blend, points: SurfacePoints, face: np.ndarray, mesh: Mesh) -> np.ndarray:
    """Colours (n, 3) of all texels: unseen ones from the seen faces around them, and faintly seen ones in between."""
    faint = blended.weight < 10 * FAINT
    if not faint.any():
        return blended.color
    known_faces = np.flatnonzero(np.bincount(face[~faint], minlength=len(mesh.faces)))
    if not len(known_faces):  # no view sees anything
        return np.full_like(blended.color, UNPAINTED)
    # One mean per face: where nothing is seen there is no detail to keep, and it is 50 times fewer points.
    counts = np.bincount(face[~faint], minlength=len(mesh.faces))[known_faces]

    def mean(values: np.ndarray) -> np.ndarray:
        sums = [np.bincount(face[~faint], values[~faint, axis], len(mesh.faces))[known_faces] for axis in range(3)]
        return np.stack(sums, axis=-1) / counts[:, None]

    guess = fill_on_surface(
        points.position[faint], points.normal[faint], mean(points.position), mean(points.normal), mean(blended.color)
    )
    share = (blended.weight[faint] / (blended.weight[faint] + FAINT))[:, None]
    colors = blended.color.copy()
    colors[faint] = share * colors[faint] + (1 - share) * guess
    return colors
