"""What the shape prior makes of one cutout: a coloured solid whose outline, for the picture's camera, is the cutout's.

The camera's elevation is the network's estimate, so the solid comes upright; its field of view is the customary one of
`framing`. Everything the picture does not show is guessed.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, look_at, orbit_position
from zero123pp.errors import StageFailed
from zero123pp.recon.field import Field
from zero123pp.recon.meshing import extract
from zero123pp.recon.ops import resampled
from zero123pp.recon.prior.framing import SINGLE_VIEW_DISTANCE, SINGLE_VIEW_ROOM, assumed_matrix, network_picture
from zero123pp.recon.prior.rays import Rays, evened
from zero123pp.recon.prior.solid import largest_piece, probable_solid, round_edged, with_outline
from zero123pp.types import ByContent, Camera, Mesh, View

if TYPE_CHECKING:
    from zero123pp.recon.prior.runtime import Prior


@dataclass(frozen=True)
class SingleConfig:
    """How one picture becomes a solid."""

    resolution: int = 96
    """Nodes along an axis of the grid on which the network is asked; the object fills about half of it."""
    elevation_range: tuple[float, ...] = (-20.0, 50.0)
    """Degrees; estimates beyond are cut off, since training saw none."""
    blur: float = 2.0
    """Voxels, see `solid.probable_solid`."""
    blur_colors: float = 3.0
    """Voxels, standard deviation: along a ray the network repeats what the picture shows, and a bear has no eyes on its
    back."""
    round_edges: float = 0.5
    """Share of the thickness, see `solid.round_edged`."""
    thinnest: float = 0.7
    """Voxels; half the least thickness of what is put where the network sees nothing behind the outline."""
    fill: float = 0.95
    """Radius of the object over that of the frame's sphere; above 0.966 it can leave a view of the rig v1.2."""


@dataclass(frozen=True, eq=False)
class SingleGuess(ByContent):
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
    flat = View(rgba[..., :3], rgba[..., 3], _camera(0.0, len(rgba)))
    small = resampled(flat, prior.picture_px, prior.picture_px)
    picture = network_picture(small)
    asked = [prior.encode(seen[None]) for seen in (picture, picture[:, ::-1])]  # the object and its mirror image
    elevation = float(np.clip(np.mean([each.elevations_deg[0] for each in asked]), *config.elevation_range))
    view = replace(flat, camera=_camera(elevation, len(rgba)))
    matrix = assumed_matrix(elevation)[None].astype(np.float32)

    cone, rays = _cone(view, config.resolution), Rays.of(view, config.resolution)
    voxel = 2 / (config.resolution - 1)
    where = cone < 2 * voxel
    nodes = _nodes(config.resolution)[where]
    sdf, colors = cone.copy(), np.full((*cone.shape, 3), 0.5, np.float32)
    answers = [
        prior.decode(prior.volume(each, matrix), each, matrix, nodes * sides) for each, sides in zip(asked, _MIRRORED)
    ]
    distances, shades = np.mean([d for d, _ in answers], 0), np.mean([c for _, c in answers], 0)
    sdf[where], colors[where] = distances, shades
    near = where & (np.abs(sdf) < 2 * voxel)  # colours were learned on surfaces
    colors = np.stack([evened(channel, near, config.blur_colors) for channel in np.moveaxis(colors, -1, 0)], -1)
    thinnest = config.thinnest * voxel
    sdf = largest_piece(probable_solid(sdf, cone, rays, config.blur), cone, voxel)
    sdf = with_outline(round_edged(sdf, cone, rays, config.round_edges, thinnest), cone, rays, thinnest)
    return _in_world(extract(Field(sdf, colors, 1.0)), view.camera, elevation, config)


_MIRRORED = np.array([[1, 1, 1], [-1, 1, 1]], np.float32)
"""What takes the cube to that of the picture, and of the picture's mirror image."""


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

    from zero123pp.recon.fitting import Silhouettes

    with ThreadPoolExecutor(2) as pool:
        cone = Silhouettes((view,), pool).grid(resolution, 1.0, radius=2.0)
    border = 1 - np.abs(_nodes(resolution)).max(-1)
    return np.maximum(cone, -border).astype(np.float32)


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
