"""One training sample of the shape prior: pictures with projections, and points with their distances and colours.

In a sample the cube is [-1, 1]^3 (`zero123pp.recon.prior.framing` says how it lies in the world), and the input view
stands at azimuth 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, VIEW_FROM_CAM_AXES
from zero123pp.recon.ops import area_matrix
from zero123pp.recon.prior import REACH_MARGIN, projection, single_view_matrix
from zero123pp.train.prior.lighting import Light, random_light

AZIMUTHS = 6
"""Tiles a ring of the rendered passes, see `zero123pp.pipelines.training_data.shapes.views.Tiles`."""

Mode = Literal["one", "rig", "some"]
"""One input view of unknown elevation; the six views of a rig; some views of known cameras."""


@dataclass
class Sample:
    """Arrays of one sample; V pictures of S px, N points, M surface points."""

    pictures: np.ndarray
    """(V, 7, S, S) float32: colour times alpha, alpha, normal times alpha."""
    matrices: np.ndarray
    """(V, 3, 4) float32, see `zero123pp.recon.prior.look_ups.statistics_at`."""
    elevation: np.ndarray
    """(V,) float32, degrees; NaN for the views of a rig, which are no photographs."""
    points: np.ndarray
    """(N, 3) float32."""
    sdf: np.ndarray
    """(N,) float32, half sides of the cube."""
    surface: np.ndarray
    """(M, 3) float32."""
    surface_rgb: np.ndarray
    """(M, 3) float32."""


@dataclass(frozen=True)
class SampleConfig:
    """How samples are drawn."""

    picture_px: int = 128
    """Side of the pictures, at most that of the rendered tiles."""
    points: int = 2560
    """With distances."""
    far: int = 192
    """More points for one view, beyond the sphere of the object: its cone reaches far, and passes have none there."""
    surface: int = 512
    """With colours."""
    lit: float = 0.5
    """Share of the samples under an environment's light instead of unlit."""
    stale_elevation: float = 0.1
    """Share of the one-view samples whose assumed elevation is the customary 10 degrees or off by up to 25."""
    elevation_error_deg: float = 4.0
    """Standard deviation of the others': that of the network's own estimate, which is what it will be given."""


def draw(
    data: dict[str, np.ndarray], mode: Mode, lights: np.ndarray, config: SampleConfig, rng: np.random.Generator
) -> Sample:
    """A sample of a rendered pass (the arrays of `zero123pp.pipelines.training_data.shapes`)."""
    first = int(rng.integers(AZIMUTHS))
    tiles = _tiles(mode, first, rng)
    turn = _turn_to_front(data["world_from_cam"][2 * AZIMUTHS + first])
    poses = data["world_from_cam"][tiles].astype(np.float64)
    poses[:, :3] = np.einsum("ij,vjk->vik", turn, poses[:, :3])
    intrinsics = data["intrinsics"][tiles].astype(np.float64)
    size = data["pixels"].shape[1]  # the intrinsics' as well; projections do not depend on the resolution
    points, surface = (data[name].astype(np.float64) @ turn.T for name in ("points", "surface"))
    normals = data["surface_normals"].astype(np.float64) @ turn.T
    elevation = np.where(tiles >= 2 * AZIMUTHS, data["elevations_deg"][tiles], np.nan)

    if mode == "one":
        assumed = _assumed_elevation(float(elevation[0]), config, rng)
        matrices, centre, half_extent = single_view_matrix(poses[0], intrinsics[0], size, assumed)
        matrices = matrices[None]
    else:
        centre = rng.normal(0, 0.004, 3)
        half_extent = float(np.abs(surface).max()) * rng.uniform(*REACH_MARGIN)
        matrices = np.stack([projection(p, i, size, centre, half_extent) for p, i in zip(poses, intrinsics)])

    pixels = _shrunk(data["pixels"][tiles], config.picture_px)
    light = random_light(lights, rng) if rng.random() < config.lit else None
    rgb, surface_rgb = _colored(pixels, poses, data["surface_rgb"], normals, light, rng)
    alpha = pixels[..., 3:4]
    view_normals = (2 * pixels[..., 4:] - 1) * alpha
    pictures = np.concatenate([rgb * alpha, alpha, view_normals], -1).transpose(0, 3, 1, 2)

    points, sdf = _inside_cube((points - centre) / half_extent, data["sdf"].astype(np.float64) / half_extent)
    chosen = rng.integers(len(points), size=config.points)
    far, far_sdf = _far_points(config.far if mode == "one" else 0, centre, half_extent, rng)
    shown = rng.integers(len(surface), size=config.surface)
    sample = Sample(
        np.ascontiguousarray(pictures, np.float32), matrices.astype(np.float32), elevation.astype(np.float32),
        np.concatenate([points[chosen], far]).astype(np.float32),
        np.concatenate([sdf[chosen], far_sdf]).astype(np.float32),
        ((surface[shown] - centre) / half_extent).astype(np.float32), surface_rgb[shown].astype(np.float32),
    )  # fmt: skip
    return mirrored(sample) if rng.random() < 0.5 else sample


def _shrunk(pixels: np.ndarray, size: int) -> np.ndarray:
    """Tiles (V, S, S, 7) uint8 as float32 in [0, 1] at another size; colours weighted by alpha."""
    tiles, rendered = pixels.astype(np.float32) / 255, pixels.shape[1]
    if size == rendered:
        return tiles
    alpha = tiles[..., 3:4]
    premultiplied = np.concatenate([tiles[..., :3] * alpha, alpha, (2 * tiles[..., 4:] - 1) * alpha], -1)
    if rendered % size == 0:
        block = rendered // size
        small = premultiplied.reshape(len(tiles), size, block, size, block, -1).mean((2, 4))
    else:
        matrix = area_matrix(rendered, size)
        small = np.einsum("ij,vjkc,lk->vilc", matrix, premultiplied, matrix, optimize=True)
    alpha = np.maximum(small[..., 3:4], 1e-6)
    return np.concatenate([small[..., :3] / alpha, small[..., 3:4], (small[..., 4:] / alpha + 1) / 2], -1)


def _tiles(mode: Mode, first: int, rng: np.random.Generator) -> np.ndarray:
    """Tiles of the views."""
    sheet = np.array([(first + i) % AZIMUTHS + AZIMUTHS * (i % 2) for i in range(AZIMUTHS)])
    if mode == "one":
        return np.array([2 * AZIMUTHS + first])
    if mode == "rig":
        return sheet
    if rng.random() < 0.4:  # the input view beside the six
        return np.append(sheet, 2 * AZIMUTHS + first)
    return rng.permutation(3 * AZIMUTHS)[: rng.integers(2, 7)]


def _turn_to_front(world_from_cam: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) about the vertical that brings a camera to azimuth 0."""
    x, _, z = world_from_cam[:3, 3].astype(np.float64)
    length = np.hypot(x, z)
    sine, cosine = x / length, z / length
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def _assumed_elevation(true: float, config: SampleConfig, rng: np.random.Generator) -> float:
    if rng.random() < config.stale_elevation:
        return 10.0 if rng.random() < 0.5 else true + rng.uniform(-25, 25)
    return true + config.elevation_error_deg * rng.normal()


def _colored(
    pixels: np.ndarray, poses: np.ndarray, surface_rgb: np.ndarray, normals: np.ndarray, light: Light | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Colours of the pictures and of the surface after one random repaint, and under one light."""
    repaint = _random_repaint(rng)
    rgb, surface = repaint(pixels[..., :3]), repaint(surface_rgb.astype(np.float32) / 255)
    if light is None:
        return rgb, surface
    view_normals = 2 * pixels[..., 4:] - 1
    world = np.einsum("vhwj,vij->vhwi", view_normals @ VIEW_FROM_CAM_AXES, poses[:, :3, :3])
    # Where a pixel's centre sees no normal (outlines), the length is 0: it gets the mean light.
    return light.shade(rgb, world.astype(np.float32)), light.shade(surface, normals.astype(np.float32))


def _random_repaint(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A map of colours that all pictures of a sample share: the shape must not hang on the paint."""
    order = rng.permutation(3) if rng.random() < 0.35 else np.arange(3)
    gray = rng.random() < 0.08
    gain = (rng.normal(1, 0.08, 3) * rng.uniform(0.75, 1.2)).astype(np.float32)
    gamma = np.float32(rng.uniform(0.7, 1.4))
    white = rng.uniform(0.4, 0.9) if rng.random() < 0.08 else 0.0

    def repaint(rgb: np.ndarray) -> np.ndarray:
        rgb = rgb[..., order]
        if gray:
            rgb = np.repeat(rgb.mean(-1, keepdims=True), 3, -1)
        return np.clip((rgb + white * (1 - rgb)) * gain, 0, 1) ** gamma

    return repaint


def _inside_cube(points: np.ndarray, sdf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside = (np.abs(points) < 1).all(1)
    return points[inside], sdf[inside]


_CLEARLY_OUTSIDE = 0.1
"""Half sides of the cube; twice the distance at which the loss levels off."""


def _far_points(
    count: int, centre: np.ndarray, half_extent: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 3) of the cube beyond the sphere of the object, and distances that say so, half sides.

    How far the surface is from them is not known, only the least it can be; but what the network is to learn of these
    places is that they are outside, so they count as at least `_CLEARLY_OUTSIDE`.
    """
    place = rng.uniform(-1, 1, (count, 3)) * half_extent + centre
    # Points inside the sphere are pushed out of it, along their own direction.
    length = np.linalg.norm(place, axis=1, keepdims=True)
    beyond = OBJECT_RADIUS + 0.02 * rng.random((count, 1))
    place *= np.maximum(1, beyond / np.maximum(length, 1e-6))
    least = (np.linalg.norm(place, axis=1) - OBJECT_RADIUS) / half_extent
    return (place - centre) / half_extent, np.maximum(least, _CLEARLY_OUTSIDE)


def mirrored(sample: Sample) -> Sample:
    """The sample as seen in a mirror in the plane x = 0."""
    pictures = sample.pictures[..., ::-1].copy()
    pictures[:, 4] *= -1  # the normals' x
    matrices = sample.matrices.copy()
    matrices[:, 0] *= -1  # u of the flipped picture
    matrices[:, :, 0] *= -1  # x of the flipped world
    flip = np.array([-1, 1, 1], np.float32)
    return Sample(
        pictures, matrices, sample.elevation, sample.points * flip, sample.sdf, sample.surface * flip,
        sample.surface_rgb,
    )  # fmt: skip
