"""What the shape prior makes of posed views: a field over the fit's cube, and normals for views that have none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.recon.ops.resample import resampled
from zero123pp.recon.prior.framing import projection
from zero123pp.types import Camera, View

if TYPE_CHECKING:
    from zero123pp.recon.prior.runtime import Encoded, Prior

MAX_VIEWS = 8
"""More views than the network has seen in training are thinned out: it knows few, and a fit to many needs no guess."""


@dataclass(frozen=True)
class PosedGuess:
    """The network's view of a scene; evaluates lazily, at the nodes of any grid."""

    prior: "Prior"
    encoded: "Encoded"
    volume: np.ndarray
    matrices: np.ndarray
    half_extent: float

    def at_nodes(self, resolution: int, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed distances (n,) in world units and sRGB (n, 3) at the chosen nodes of a grid over the cube.

        Args:
            resolution: nodes along an axis, N.
            where: (N, N, N) bool with n nodes chosen.
        """
        nodes = np.stack(np.nonzero(where), -1).astype(np.float32) * np.float32(2 / (resolution - 1)) - 1
        distances, colors = self.prior.decode(self.volume, self.encoded, self.matrices, nodes)
        return distances * np.float32(self.half_extent), colors


def guess(views: Sequence[View], half_extent: float, prior: "Prior") -> PosedGuess:
    """Show the network views of known cameras; the cube [-half_extent, half_extent]^3 holds the object."""
    step = -(-len(views) // MAX_VIEWS)
    chosen = [resampled(view, prior.picture_px, prior.picture_px) for view in views[::step]]
    matrices = np.stack([_matrix(view.camera, half_extent) for view in chosen]).astype(np.float32)
    encoded = prior.encode(np.stack([network_picture(view) for view in chosen]))
    return PosedGuess(prior, encoded, prior.volume(encoded, matrices), matrices, half_extent)


def with_normals(views: Sequence[View], prior: "Prior") -> list[View]:
    """The views at the network's size, with its normals where they have none of their own."""
    small = [resampled(view, prior.picture_px, prior.picture_px) for view in views]
    bare = [index for index, view in enumerate(small) if view.normal is None]
    if bare:
        found = prior.encode(np.stack([network_picture(small[index]) for index in bare])).normals
        for index, normal in zip(bare, found):
            small[index] = replace(small[index], normal=normal * (small[index].alpha[..., None] > 0))
    return small


def network_picture(view: View) -> np.ndarray:
    """(S, S, 8) float32: the network's input channels, see `zero123pp.recon.prior.network.INPUT_CHANNELS`."""
    alpha = view.alpha[..., None]
    given = view.normal is not None
    normal = view.normal * alpha if given else np.zeros_like(view.rgb)
    return np.concatenate([view.rgb * alpha, alpha, normal, np.full_like(alpha, given)], -1).astype(np.float32)


def _matrix(camera: Camera, half_extent: float) -> np.ndarray:
    """`projection` of a camera whose picture is square."""
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    return projection(camera.world_from_cam, intrinsics, camera.width, np.zeros(3), half_extent)
