"""One cutout comes in, the solid that the one-view network sees in it goes out: upright, in the world frame."""

from dataclasses import dataclass, replace

import numpy as np

from zero123pp.images import without_small_holes
from zero123pp.recon.prior.one_view.crop import Crop, cropped, square_round
from zero123pp.recon.prior.one_view.maps import Maps, OneViewNetwork
from zero123pp.recon.prior.one_view.sheets import sheets_of
from zero123pp.recon.prior.one_view.solid import SolidConfig, filled, smoothed, surface
from zero123pp.recon.prior.one_view.symmetry import symmetrised
from zero123pp.recon.prior.one_view.upright import elevation_deg, in_camera, placed, up_vector
from zero123pp.types import ByContent, Camera, Mesh

_FINER = 2
"""Pixels of the outline's crop over rays of the grid."""


@dataclass(frozen=True)
class Wishes:
    """What the user knows better than the network."""

    thickness: float = 1.0
    """Factor of the object's depth along the line of sight."""
    elevation_deg: float | None = None
    """Of the camera over the object; None: what the network says."""
    roll_deg: float | None = None
    """Of the object's top, clockwise from the top of the picture; None: what the network says."""
    symmetry: str = "off"
    """'off', 'mirror', 'lathe', or 'auto': what holds."""


@dataclass(frozen=True, eq=False)
class OneViewSolid(ByContent):
    """A guessed solid."""

    mesh: Mesh
    """Closed, world frame, its box in the middle of the sphere; without colours."""
    camera: Camera
    """Of the cutout, at its size."""
    maps: Maps
    crop: Crop
    """Of the cutout, finer than the maps."""
    symmetry: str
    """'none', 'mirror' or 'lathe': what was found and used."""


def one_view_solid(
    rgba: np.ndarray, network: OneViewNetwork, config: SolidConfig = SolidConfig(), wishes: Wishes = Wishes()
) -> OneViewSolid:
    """The solid behind a straight cutout (S, S, 4) float32 with an object in it.

    Raises StageFailed: the network sees no solid there.
    """
    closed = np.dstack([rgba[..., :3], without_small_holes(rgba[..., 3], config.smallest_hole)])
    square = square_round(closed[..., 3])
    crop = cropped(closed, square, _FINER * config.rays)
    maps = network.maps(cropped(closed, square, network.picture_px))
    maps = replace(maps, up=_up(maps, wishes))
    sheets = sheets_of(maps, crop.alpha, config, wishes.thickness)
    grid, symmetry = symmetrised(filled(sheets), sheets, maps, wishes.symmetry)
    places, faces = surface(smoothed(grid, sheets.edge, config.blur))
    points = in_camera(places, maps.tan_half_fov)
    vertices, camera = placed(points, maps.up, crop, maps.tan_half_fov, len(rgba))
    return OneViewSolid(Mesh(vertices, np.ascontiguousarray(faces, np.int32)), camera, maps, crop, symmetry)


def _up(maps: Maps, wishes: Wishes) -> np.ndarray:
    """The object's up (3,) in the camera's axes: the network's, with what is wished in its place."""
    if wishes.elevation_deg is None and wishes.roll_deg is None:
        return maps.up
    elevation = elevation_deg(maps.up) if wishes.elevation_deg is None else wishes.elevation_deg
    roll = np.rad2deg(np.arctan2(maps.up[0], -maps.up[1])) if wishes.roll_deg is None else wishes.roll_deg
    return up_vector(elevation, roll)
