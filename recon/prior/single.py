"""What the shape prior makes of one cutout: a coloured solid whose outline, for the picture's camera, is the cutout's.

The camera's elevation is the network's estimate, so the solid comes upright; its field of view is the customary one of
`framing`. Everything the picture does not show is guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, look_at, orbit_position, project
from zero123pp.errors import StageFailed
from zero123pp.recon.extract import extract
from zero123pp.recon.field import Field
from zero123pp.recon.prior.framing import SINGLE_VIEW_DISTANCE, SINGLE_VIEW_ROOM, assumed_matrix
from zero123pp.recon.prior.posed import network_picture
from zero123pp.recon.prior.runtime import SOFTNESS
from zero123pp.recon.targets import resampled
from zero123pp.types import Camera, Mesh, View

if TYPE_CHECKING:
    from zero123pp.recon.prior.runtime import Prior


@dataclass(frozen=True)
class SingleConfig:
    """How one picture becomes a solid."""

    resolution: int = 96
    """Nodes along an axis of the grid on which the network is asked; the object fills about half of it."""
    elevation_range: tuple[float, ...] = (-20.0, 50.0)
    """Degrees; estimates beyond are cut off, since training saw none."""
    solid_from: float = 0.34
    """Probability from which a place is solid. Below a half: where one picture leaves the depth open, no place along a
    ray may reach a half, and the solid would be too thin."""
    blur: float = 2.0
    """Voxels, standard deviation: features looked up in one picture are the same all along a ray, and what they get
    wrong would stand out as fins along the line of sight. The outline stays sharp."""
    thinnest: float = 0.7
    """Voxels; half the least thickness of what is put where the network sees nothing behind the outline."""
    fill: float = 0.95
    """Radius of the object over that of the frame's sphere; above 0.966 it can leave a view of the rig v1.2."""


@dataclass(frozen=True)
class SingleGuess:
    """A guessed solid in the world frame, upright, in the middle of the sphere."""

    mesh: Mesh
    """Closed, with vertex colours."""
    camera: Camera
    """Of the picture, at its size in pixels."""
    elevation_deg: float
    """Of that camera, estimated."""


def guess_solid(rgba: np.ndarray, prior: "Prior", config: SingleConfig = SingleConfig()) -> SingleGuess:
    """Guess the solid behind a square cutout (S, S, 4) float32 that fills its picture.

    Raises:
        StageFailed: the network sees no solid there.
    """
    from scipy.ndimage import gaussian_filter

    flat = View(rgba[..., :3], rgba[..., 3], _camera(0.0, len(rgba)))
    small = resampled(flat, prior.picture_px, prior.picture_px)
    picture = network_picture(small)
    asked = [prior.encode(seen[None]) for seen in (picture, picture[:, ::-1])]  # the object and its mirror image
    elevation = float(np.clip(np.mean([each.elevations_deg[0] for each in asked]), *config.elevation_range))
    view = replace(flat, camera=_camera(elevation, len(rgba)))
    matrix = assumed_matrix(elevation)[None].astype(np.float32)

    cone = _cone(view, config.resolution)
    voxel = 2 / (config.resolution - 1)
    where = cone < 2 * voxel
    nodes = _nodes(config.resolution)[where]
    sdf, colors = cone.copy(), np.full((*cone.shape, 3), 0.5, np.float32)
    answers = [
        prior.decode(prior.volume(each, matrix), each, matrix, nodes * sides) for each, sides in zip(asked, _MIRRORED)
    ]
    distances, shades = np.mean([d for d, _ in answers], 0), np.mean([c for _, c in answers], 0)
    surface_at = SOFTNESS * np.log(1 / config.solid_from - 1)
    sdf[where], colors[where] = distances - np.float32(surface_at), shades
    sdf = gaussian_filter(np.clip(sdf, -_CERTAIN, _CERTAIN), config.blur)
    sdf = with_outline(largest_piece(sdf, voxel), cone, view.camera, config.thinnest * voxel)
    return _in_world(extract(Field(sdf, colors, 1.0)), view.camera, elevation, config)


_MIRRORED = np.array([[1, 1, 1], [-1, 1, 1]], np.float32)
"""What takes the cube to that of the picture, and of the picture's mirror image."""

_CERTAIN = 3 * SOFTNESS
"""Beyond this a distance says no more about which side of the surface a place is on."""


def _camera(elevation_deg: float, size_px: int) -> Camera:
    """The assumed camera, in the units of the cube."""
    distance = SINGLE_VIEW_DISTANCE / SINGLE_VIEW_ROOM
    half = size_px / 2
    focal = SINGLE_VIEW_DISTANCE * half
    return Camera(look_at(orbit_position(0, elevation_deg, distance)), focal, focal, half, half, size_px, size_px)


def _nodes(resolution: int) -> np.ndarray:
    """(N, N, N, 3) float32."""
    axis = np.linspace(-1, 1, resolution, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def _cone(view: View, resolution: int) -> np.ndarray:
    """Signed distance (N, N, N) to the cone of the outline, cut off by the cube."""
    from concurrent.futures import ThreadPoolExecutor

    from zero123pp.recon.hull import Silhouettes

    with ThreadPoolExecutor(2) as pool:
        cone = Silhouettes((view,), pool).grid(resolution, 1.0, radius=2.0)
    border = 1 - np.abs(_nodes(resolution)).max(-1)
    return np.maximum(cone, -border).astype(np.float32)


def largest_piece(sdf: np.ndarray, outside: float) -> np.ndarray:
    """The distances (N, N, N) with all but the largest connected solid taken away: their nodes become ``outside``.

    Far in front of and behind an object one picture says nothing, and what little is imagined there would decide the
    scale of the whole. What the outline asks for comes back in `with_outline`.
    """
    from scipy.ndimage import label

    pieces, count = label(sdf < 0)
    if count < 2:
        return sdf
    largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
    return np.where((pieces > 0) & (pieces != largest), np.float32(outside), sdf)


def with_outline(sdf: np.ndarray, cone: np.ndarray, camera: Camera, thinnest: float) -> np.ndarray:
    """The solid changed so that the camera sees exactly the outline.

    Outside of the cone it is cut off. Where rays inside the outline meet no solid (thin parts, mostly), a limb as thick
    as it is wide is put: about the middle of the solid on the nearest ray that meets some.

    Args:
        sdf: (N, N, N) signed distances over [-1, 1]^3.
        cone: (N, N, N) those of the cone of the outline.
        camera: in the units of the cube.
        thinnest: half the least thickness of what appears.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, maximum_filter

    resolution = len(sdf)
    nodes = _nodes(resolution)
    px, depth = project(camera, nodes)
    per_px = resolution / camera.width  # the rays are looked at on a picture as fine as the grid
    steps = np.linspace(depth.min(), depth.max(), resolution)
    first, last = np.full((2, resolution, resolution), np.inf)
    last = -last
    within = np.full((resolution, resolution), False)
    for z, solid, covered in _along_rays(np.maximum(sdf, cone), cone, camera, steps):
        first, last = np.where(solid, np.minimum(first, z), first), np.where(solid, np.maximum(last, z), last)
        within |= covered
    met = last >= first
    known = met
    if not met.any():  # nothing but the outline: about the middle of the cube
        known = np.full_like(met, True)
        first[:] = last[:] = np.linalg.norm(camera.world_from_cam[:3, 3])
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    first, last = np.where(known, first, 0), np.where(known, last, 0)
    # Rays that only graze the solid say little about its middle.
    blur, thick = resolution / _MIDDLE_BLUR, last - first + steps[1] - steps[0]
    thick = np.where(known, thick, 0)
    middle = gaussian_filter((first + last) / 2 * thick, blur) / np.maximum(gaussian_filter(thick, blur), 1e-9)
    middle = gaussian_filter(middle[tuple(nearest)], blur / 2)
    bare = maximum_filter((within & ~met).astype(np.float32), 3)  # one more, so that limbs and solid meet
    at = np.stack([px[..., 1] * per_px - 0.5, px[..., 0] * per_px - 0.5]).reshape(2, -1)
    limb = np.abs(depth - map_coordinates(middle, at, order=1, mode="nearest").reshape(depth.shape))
    limb -= np.maximum(-cone, thinnest)  # the distance from the outline: as far from the middle as from the edge
    asked = map_coordinates(bare, at, order=0, mode="nearest").reshape(depth.shape) > 0
    return np.maximum(np.where(asked, np.minimum(sdf, limb), sdf), cone).astype(np.float32)


_MIDDLE_BLUR = 16.0
"""The middle of the solid is a mean over the grid's nodes over this, as a standard deviation."""


def _along_rays(
    sdf: np.ndarray, cone: np.ndarray, camera: Camera, depths: np.ndarray
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """At each depth, on a picture as fine as the grid (N, N): is there solid, and is it inside the outline."""
    from scipy.ndimage import map_coordinates

    resolution = len(sdf)
    per_px = resolution / camera.width
    columns, rows = np.meshgrid(np.arange(resolution) + 0.5, np.arange(resolution) + 0.5)
    to_cam = np.stack([(columns / per_px - camera.cx) / camera.fx, (rows / per_px - camera.cy) / camera.fy], -1)
    rotation, origin = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    for z in depths:
        points = np.dstack([to_cam * z, np.full_like(columns, z)]) @ rotation.T + origin
        at = ((points + 1) / 2 * (resolution - 1)).reshape(-1, 3).T
        found = (map_coordinates(values, at, order=1, mode="nearest") < 0 for values in (sdf, cone))
        solid, covered = (values.reshape(columns.shape) for values in found)
        yield float(z), solid, covered


def _in_world(mesh: Mesh, camera: Camera, elevation: float, config: SingleConfig) -> SingleGuess:
    """Cube to world: the box of the solid in the middle, its farthest vertex at `fill` of the sphere's radius."""
    if not len(mesh.faces):
        raise StageFailed("the network sees no solid in the picture; check the cutout")
    vertices = mesh.vertices.astype(np.float64)
    centre = (vertices.min(0) + vertices.max(0)) / 2
    scale = config.fill * OBJECT_RADIUS / np.linalg.norm(vertices - centre, axis=1).max()
    pose = np.array(camera.world_from_cam, float)
    pose[:3, 3] = (pose[:3, 3] - centre) * scale
    return SingleGuess(mesh.with_vertices((vertices - centre) * scale), replace(camera, world_from_cam=pose), elevation)
