"""The texture stage: unwrap the mesh, paint it from the views, fill what no view sees."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from zero123pp.errors import BadInput, ConfigError
from zero123pp.images import to_uint8
from zero123pp.recon.meshing import smooth_normals
from zero123pp.recon.ops.raster import Fragments, rasterize_uv
from zero123pp.recon.render import UNPAINTED
from zero123pp.recon.texturing.bake import Blend, Source, SurfacePoints, blend, prepare, see
from zero123pp.recon.texturing.exposure import match_gains
from zero123pp.recon.texturing.fill import fill_nearest, fill_on_surface
from zero123pp.recon.texturing.normal_map import with_normal_map
from zero123pp.recon.texturing.unwrap import Atlas, unwrap
from zero123pp.types import Mesh, TexturedMesh, View

PREPARE_THREADS = 4
"""Views made ready at a time; the work is in Numba and SciPy, outside the interpreter's lock."""

GAIN_SAMPLES = 20000
"""Texels that the exposure factors are measured on."""

FAINT, CLEAR = 0.03, 0.12
"""Clarity (trust x cosine x relative resolution) up to which a texel takes the colour of its neighbourhood, and from
which it keeps its own."""

TURNED, AWAY = 0.3, 0.15
"""Cosines to the line of sight: up to the second a surface is on the side that its view guesses, from the first not."""

STRETCHED, EVEN = 0.06, 0.22
"""Take the place of `FAINT` and `CLEAR` where a view has such a guess: a picture that is drawn out along the line of
sight shows streaks, and the guess has none."""


@dataclass(frozen=True)
class TextureConfig:
    """How the texture is made."""

    size: int = 1024
    """Side of the square texture, texels; a power of two, as game engines expect."""
    padding: int = 4
    """Least distance between UV charts, texels; keeps mipmaps from mixing charts."""
    sharpness: float = 4.0
    """Exponent of (cosine x relative resolution) in a view's weight: higher follows the best view, lower mixes more.
    On views warped by 3 px, 2 has 0.25 dB more and shows ghosts; 8 has 0.1 dB less."""
    edge_px: float = 3.0
    """Pixels over which a view's weight ramps up from its mask's edge and from depth edges, where it is least sure."""
    depth_step: float = 0.05
    """Jump of depth between neighbouring pixels that counts as an edge, world units (the object has diameter 1)."""
    match_gain: bool = True
    """Even out differences in exposure between overlapping views."""
    normal_map: bool = False
    """Also bake the normals of the surface before it was simplified, so that few triangles are shaded like many."""

    def __post_init__(self) -> None:
        if self.size < 16 or self.size > 8192 or self.size & (self.size - 1):
            raise ConfigError(f"texture.size is {self.size}; expected a power of two from 16 to 8192")
        if self.padding < 0 or self.padding > self.size // 16:
            raise ConfigError(f"texture.padding is {self.padding}; expected 0 to {self.size // 16} texels")
        if not 0 < self.sharpness <= 64:
            raise ConfigError(f"texture.sharpness is {self.sharpness}; expected a number over 0, at most 64")
        if self.edge_px < 0 or self.depth_step <= 0:
            got = (self.edge_px, self.depth_step)
            raise ConfigError(f"texture.edge_px, depth_step are {got}; expected positive numbers")


def texture(
    mesh: Mesh,
    views: Sequence[View],
    config: TextureConfig = TextureConfig(),
    progress: Callable[[float], None] | None = None,
    *,
    fine: Mesh | None = None,
    atlas: Atlas | None = None,
) -> tuple[TexturedMesh, dict]:
    """The mesh with a texture painted from posed pictures, and smooth normals.

    Args:
        mesh: closed surface, outward winding; its vertex colours are used where no view sees anything at all.
        views: any number and sizes; views with confidence 0 are left out.
        config: how.
        progress: called with fractions in [0, 1].
        fine: the surface that ``mesh`` was simplified from; without it there is no normal map.
        atlas: of the mesh; None: it is unwrapped.

    Returns:
        The textured mesh, and a report: size, charts, vertices, used (share of texels on the surface), seen (share of
        those that a view sees), confidence (mean over all of them, 0 where unseen; the textured mesh has that of
        each texel), view_share (share of the seen texels' colour by view), gain (factor of each view), normal_map
        (whether there is one; only where it is asked for).

    Raises:
        BadInput: there is no view.
        StageFailed: the mesh cannot be unwrapped.
    """
    report_progress = progress or (lambda fraction: None)
    if not any(view.confidence > 0 for view in views):
        raise BadInput(f"texturing needs a view with confidence over 0, got {len(views)} views")
    if atlas is None:
        atlas = unwrap(mesh, config.size, config.padding)
    report_progress(0.2)
    mesh_normals = smooth_normals(mesh)
    split = Mesh(mesh.vertices[atlas.vertex], atlas.faces)
    fragments = rasterize_uv(atlas.uvs, atlas.faces, config.size, config.size)
    base_color, confidence, report = _paint(mesh, mesh_normals, fragments, views, config, report_progress)
    report = {
        "size": config.size,
        "charts": atlas.charts,
        "vertices": len(atlas.vertex),
        "used": float(fragments.covered.mean()),
    } | report
    textured = TexturedMesh(split, atlas.uvs, base_color, mesh_normals[atlas.vertex], confidence)
    if config.normal_map:
        report["normal_map"] = fine is not None
        textured = textured if fine is None else with_normal_map(textured, fine, config.size)
    report_progress(1.0)
    return textured, report


def _paint(
    mesh: Mesh,
    mesh_normals: np.ndarray,
    fragments: Fragments,
    views: Sequence[View],
    config: TextureConfig,
    progress: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Texture (size, size, 3) uint8, its confidence (size, size) uint8, and what the report says about it."""
    trusted = [view for view in views if view.confidence > 0]
    with ThreadPoolExecutor(PREPARE_THREADS) as pool:
        sources = list(pool.map(lambda view: prepare(view, mesh, config.edge_px, config.depth_step), trusted))
    progress(0.5)
    # The atlas keeps the order of the faces, so its fragments fit the mesh before unwrapping.
    normals = fragments.interpolate(mesh.faces, mesh_normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    points = SurfacePoints(fragments.interpolate(mesh.faces, mesh.vertices), normals)
    resolution = min(source.view.camera.fx / _distance(source.view, mesh) for source in sources)
    gains = _gains(sources, points, config, resolution)
    blended = blend(sources, points, gains, config.sharpness, resolution)
    progress(0.85)
    colors = _filled(blended, _behind(sources, points), fragments, mesh, mesh_normals)
    picture = np.zeros((*fragments.face.shape, 3), np.uint8)
    picture[fragments.covered] = to_uint8(colors)
    confidence = np.zeros(fragments.face.shape, np.uint8)
    confidence[fragments.covered] = to_uint8(np.clip(blended.confidence, 0, 1))
    shares = iter(blended.share.tolist())
    return (
        fill_nearest(picture, fragments.covered),
        confidence,
        {
            "seen": float((blended.view_score > 0).mean()) if len(points.position) else 0.0,
            "confidence": float(blended.confidence.mean()) if len(points.position) else 0.0,
            "view_share": [next(shares) if view.confidence > 0 else 0.0 for view in views],
            "gain": gains.tolist(),
        },
    )


def _distance(view: View, mesh: Mesh) -> float:
    """From the camera to the middle of the mesh's bounding box."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    return max(float(np.linalg.norm(view.camera.world_from_cam[:3, 3] - middle)), 1e-3)


def _gains(sources: Sequence[Source], points: SurfacePoints, config: TextureConfig, resolution: float) -> np.ndarray:
    """Exposure factors (V,), from a regular sample of the texels."""
    if not config.match_gain or len(sources) < 2:
        return np.ones(len(sources))
    step = max(1, len(points.position) // GAIN_SAMPLES)
    sample = SurfacePoints(points.position[::step], points.normal[::step])
    seen = [see(source, sample, config.sharpness, resolution) for source in sources]
    confidence = np.array([source.view.confidence for source in sources])
    return match_gains(np.stack([colors for *_, colors in seen]), np.stack([weight for weight, *_ in seen]), confidence)


def _behind(sources: Sequence[Source], points: SurfacePoints) -> tuple[np.ndarray, np.ndarray] | None:
    """What views guess of the side that they do not see: colours (n, 3), and which texels that is, (n,) in [0, 1].

    The first view with such a guess has it. At the rim it is what the view sees there, so it takes over where the
    surface runs along the line of sight.
    """
    from zero123pp.cameras import project
    from zero123pp.recon.ops import bilinear

    view = next((source.view for source in sources if source.view.behind is not None), None)
    if view is None:
        return None
    towards = view.camera.world_from_cam[:3, 3].astype(np.float32) - points.position
    cosine = (points.normal * towards).sum(-1) / np.maximum(np.linalg.norm(towards, axis=-1), 1e-9)
    px, _ = project(view.camera, points.position)
    return bilinear(view.behind, px.astype(np.float32)), np.clip((TURNED - cosine) / (TURNED - AWAY), 0, 1)


def _filled(
    blended: Blend, behind: tuple[np.ndarray, np.ndarray] | None, fragments: Fragments, mesh: Mesh, normals: np.ndarray
) -> np.ndarray:
    """Colours (n, 3) of all texels.

    Unseen ones are guessed, by a view that has a guess of its other side or from the known surface around them; faintly
    seen ones are in between.
    """
    least, clear = (FAINT, CLEAR) if behind is None else (STRETCHED, EVEN)
    faint = blended.view_score < clear
    if not faint.any():
        return blended.color
    corners = mesh.faces[fragments.face[fragments.covered]]  # (n, 3) vertices before unwrapping
    weights = fragments.barycentric[fragments.covered]
    known_color, known, is_behind = blended.color, ~faint, None
    if behind is not None:
        is_behind = behind[1][faint, None]
        known_color = blended.color.copy()
        known_color[faint] = behind[0][faint]
        known = known | (behind[1] == 1)
    guess = 0.0 if known.all() else _from_around(mesh, normals, corners, weights, known_color, known, faint)
    if is_behind is not None:
        guess = is_behind * known_color[faint] + (1 - is_behind) * guess
    share = np.clip((blended.view_score[faint] - least) / (clear - least), 0, 1)[:, None]
    colors = blended.color.copy()
    colors[faint] = share * colors[faint] + (1 - share) * guess
    return colors


def _from_around(
    mesh: Mesh,
    normals: np.ndarray,
    corners: np.ndarray,
    weights: np.ndarray,
    texel_color: np.ndarray,
    known: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Colours of the wanted texels from those of the known ones, spread over the surface, see `fill_on_surface`."""
    seen, corner_weights = corners[known].reshape(-1), weights[known].reshape(-1)
    total = np.bincount(seen, corner_weights, len(mesh.vertices))
    color = np.zeros((len(mesh.vertices), 3))
    for channel in range(3):
        sums = np.bincount(seen, corner_weights * np.repeat(texel_color[known, channel], 3), len(mesh.vertices))
        color[:, channel] = sums / np.maximum(total, 1e-9)
    is_known = total > 0.5  # of a texel
    if not is_known.any():  # no view sees anything
        is_known, color = np.ones(len(is_known), bool), _own_colors(mesh)
    # At vertices, not at texels: where nothing is seen there is no detail to keep, and it is 50 times fewer points.
    color = fill_on_surface(mesh, normals, color, is_known)
    return (weights[wanted][..., None] * color[corners[wanted]]).sum(1)


def _own_colors(mesh: Mesh) -> np.ndarray:
    """The mesh's vertex colours (Nv, 3) in [0, 1], or gray."""
    return np.full(mesh.vertices.shape, UNPAINTED) if mesh.colors is None else mesh.colors / 255
