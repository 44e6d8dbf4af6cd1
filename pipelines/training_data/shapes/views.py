"""The pictures of one object that the shape prior learns from: both elevations of a rig, and free input views."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera
from zero123pp.images import to_uint8
from zero123pp.recon.meshing import join
from zero123pp.recon.render import render
from zero123pp.render import cropped
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Part, TexturedMesh

AZIMUTHS = 6
"""Of the ring and of the input views; an input view stands half a step before the first view of its sheet."""


@dataclass(frozen=True)
class Tiles:
    """Unlit pictures of one object: AZIMUTHS at the rig's upper elevation, as many at its lower, as many input views.

    Tile k of the lower elevation has the azimuth of tile k of the upper one; input view k comes 30 degrees before it.
    So the sheet of input view k is made of tiles k, k + 1, ... with the elevations in turn.
    """

    pixels: np.ndarray
    """(3 AZIMUTHS, S, S, 7) uint8: colour, alpha, view-space normal n as 127.5 (n + 1)."""
    cameras: tuple[Camera, ...]
    elevations_deg: np.ndarray
    """(3 AZIMUTHS,) float32."""


def render_tiles(parts: Sequence[Part], rig: str, size_px: int, rng: np.random.Generator) -> Tiles:
    """All tiles of an object in the world frame, from a random first azimuth."""
    chosen = get_rig(rig)
    step, first = 360 / AZIMUTHS, rng.uniform(0, 360)
    places = [(first + step * k, elevation) for elevation in chosen.elevations_deg[:2] for k in range(AZIMUTHS)]
    cameras = [orbit_camera(a, e, chosen.distance, chosen.fov_deg, size_px) for a, e in places]
    vertices = join([part.mesh if isinstance(part, TexturedMesh) else part for part in parts]).vertices
    for k in range(AZIMUTHS):
        places.append((first + step * (k - 0.5), _input_elevation(rng)))
        cameras.append(_input_camera(*places[-1], vertices, size_px, rng))
    pixels = np.stack([_tile(parts, camera) for camera in cameras])
    return Tiles(pixels, tuple(cameras), np.array([e for _, e in places], np.float32))


def _input_elevation(rng: np.random.Generator) -> float:
    """People photograph from a little above; some do not."""
    return float(rng.uniform(-5, 30) if rng.random() < 0.7 else rng.uniform(-20, 50))


def _input_camera(
    azimuth: float, elevation: float, vertices: np.ndarray, size_px: int, rng: np.random.Generator
) -> Camera:
    """A camera of random field of view, framed so that the object fills the picture as a cutout does."""
    fov = rng.uniform(15, 50)
    distance = OBJECT_RADIUS / np.sin(np.deg2rad(fov) / 2)
    camera = orbit_camera(azimuth, elevation, distance, fov, size_px)
    return cropped(camera, vertices, rng.uniform(0.8, 0.95))


def _tile(parts: Sequence[Part], camera: Camera) -> np.ndarray:
    view = render(parts, camera)
    return to_uint8(np.dstack([view.rgb, view.alpha, (view.normal + 1) / 2]))
