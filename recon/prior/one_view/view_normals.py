"""Posed views come in, the same views with the normals that the one-view network sees in each of them go out."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.recon.prior.one_view.crop import cropped, square_round
from zero123pp.recon.prior.one_view.maps import OneViewNetwork
from zero123pp.types import MultiView, View

_TOGETHER = 6
"""Views in a batch of the network."""


@dataclass(frozen=True)
class ViewNormalsConfig:
    """Whether the fit is told which way a network thinks that surfaces look."""

    use: Literal["never", "always"] = "never"
    """always: in views that bring no normals of their own."""
    weight: float = 0.03
    """Takes the place of `FitConfig.weight_normal`: the network is off by twenty degrees, true normals are not."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < np.inf:
            raise ConfigError(f"weight is {self.weight}; expected a number of at least 0")


def with_guessed_normals(views: MultiView, network: OneViewNetwork) -> MultiView:
    """The views (V), each with view-space normals (H, W, 3) of the network; those that have some keep theirs."""
    wanted = [at for at, view in enumerate(views.views) if view.normal is None and (view.alpha > 0.5).any()]
    seen = list(views.views)
    for first in range(0, len(wanted), _TOGETHER):
        batch = wanted[first : first + _TOGETHER]
        squares = [square_round(seen[at].alpha) for at in batch]
        crops = [
            cropped(np.dstack([seen[at].rgb, seen[at].alpha]), square, network.picture_px)
            for at, square in zip(batch, squares)
        ]
        for at, square, maps in zip(batch, squares, network.maps_of(crops)):
            seen[at] = replace(seen[at], normal=_in_view(maps.front_normal, square, seen[at]))
    return replace(views, views=tuple(seen))


def _in_view(normals: np.ndarray, square: tuple[float, float, float], view: View) -> np.ndarray:
    """Normals (3, S, S) of a crop, in its camera's axes, as the view (H, W) has them: (H, W, 3), unit length."""
    from zero123pp.recon.ops import bilinear

    left, top, side = square
    height, width = view.alpha.shape
    across = (np.arange(width) + 0.5 - left) * (normals.shape[-1] / side)
    down = (np.arange(height) + 0.5 - top) * (normals.shape[-1] / side)
    at = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
    found = bilinear(np.ascontiguousarray(normals.transpose(1, 2, 0)), at) @ _towards(square, view).T
    found = (found * (1, -1, -1)).reshape(height, width, 3)  # the camera looks along +z of its own axes, y down
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return (found / np.maximum(length, 1e-6)).astype(np.float32)


def _towards(square: tuple[float, float, float], view: View) -> np.ndarray:
    """The least rotation (3, 3), in the camera's axes, from the line of sight to the ray through the square's centre.

    The network takes the centre of its crop for the middle of the picture.
    """
    left, top, side = square
    camera = view.camera
    ray = np.array([(left + side / 2 - camera.cx) / camera.fx, (top + side / 2 - camera.cy) / camera.fy, 1.0])
    x, y, z = ray / np.linalg.norm(ray)
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])  # of the axis (-y, x, 0)
    return np.eye(3) + cross + cross @ cross / (1 + z)
