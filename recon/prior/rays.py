"""The rays of one picture through the cube [-1, 1]^3: grids along them, and maps over them back at the nodes."""

from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import project
from zero123pp.recon.prior.framing import SINGLE_VIEW_ROOM, picture_outline
from zero123pp.types import Camera, View

_DEPTHS_PER_NODE = 4 / 3
"""Places along a ray, over the nodes along an axis of the cube: the cube is deeper along some rays than it is wide."""


@dataclass(frozen=True)
class Rays:
    """N x N rays, as fine as the grid of N^3 nodes."""

    depths: np.ndarray
    """(K,) along the optical axis, evenly spaced, the same for all rays."""
    edge: np.ndarray
    """(N, N) how far inside the outline a ray runs, in half sides of the cube at its middle; negative outside."""
    node_depths: np.ndarray
    """(N, N, N) depths of the nodes."""
    _places: np.ndarray
    """(3, N N K) where the rays' places are, in nodes."""
    _within: np.ndarray
    """(N, N, K) whether a place is in the cube."""
    _columns: np.ndarray
    """(2, N^3) where the nodes are seen, in rays: row, column."""

    @classmethod
    def of(cls, view: View, resolution: int) -> "Rays":
        """Those of a square picture whose camera is in the units of the cube."""
        from scipy.ndimage import map_coordinates

        camera = view.camera
        per_px = resolution / camera.width
        axis = np.linspace(-1, 1, resolution)
        px, node_depths = project(camera, np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1))
        depths = np.linspace(node_depths.min(), node_depths.max(), round(_DEPTHS_PER_NODE * resolution))
        points = _along(camera, resolution, depths)
        outline = picture_outline(view.alpha)
        at = (np.indices((resolution, resolution)) + 0.5) / per_px - 0.5
        edge = -map_coordinates(outline, at.reshape(2, -1), order=1, mode="nearest") / SINGLE_VIEW_ROOM
        return cls(
            depths,
            edge.reshape(resolution, resolution),
            node_depths,
            ((points + 1) / 2 * (resolution - 1)).reshape(-1, 3).T,
            (np.abs(points) <= 1).all(-1),
            np.stack([px[..., 1], px[..., 0]]).reshape(2, -1) * per_px - 0.5,
        )

    @property
    def step(self) -> float:
        """Depth between two places of a ray."""
        return float(self.depths[1] - self.depths[0])

    @property
    def inside(self) -> np.ndarray:
        """(N, N) bool, whether a ray runs inside the outline."""
        return self.edge > 0

    def along(self, grid: np.ndarray, beyond: float) -> np.ndarray:
        """A grid (N, N, N) at the places of the rays, (N, N, K); ``beyond`` where they are out of the cube."""
        from scipy.ndimage import map_coordinates

        found = map_coordinates(grid, self._places, order=1, mode="nearest", output=np.float32)
        return np.where(self._within, found.reshape(self._within.shape), np.float32(beyond))

    def at_nodes(self, values: np.ndarray, order: int = 1) -> np.ndarray:
        """A map (N, N) over the rays at the nodes (N, N, N)."""
        from scipy.ndimage import map_coordinates

        found = map_coordinates(values.astype(np.float32), self._columns, order=order, mode="nearest")
        return found.reshape(self.node_depths.shape)


def _along(camera: Camera, count: int, depths: np.ndarray) -> np.ndarray:
    """(N, N, K, 3) places of the rays."""
    columns, rows = np.meshgrid(np.arange(count) + 0.5, np.arange(count) + 0.5)
    x, y = (
        (columns * camera.width / count - camera.cx) / camera.fx,
        (rows * camera.height / count - camera.cy) / camera.fy,
    )
    to_cam = np.stack([x, y, np.ones_like(x)], -1)[:, :, None] * depths[:, None]
    rotation, origin = camera.world_from_cam[:3, :3], camera.world_from_cam[:3, 3]
    return to_cam @ rotation.T + origin


def evened(values: np.ndarray, weights: np.ndarray, deviation: float) -> np.ndarray:
    """Weighted Gaussian mean of a grid or map, in its steps: what has no weight takes no part."""
    from scipy.ndimage import gaussian_filter

    weights = weights.astype(np.float32)
    return gaussian_filter(values * weights, deviation) / np.maximum(gaussian_filter(weights, deviation), 1e-6)


def extended(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A grid or map whose unknown places have the value of the nearest known one."""
    return values[nearest(known)]


def nearest(known: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where the nearest known place is, for each place of a grid or map: an index for several arrays."""
    from scipy.ndimage import distance_transform_edt

    return tuple(distance_transform_edt(~known, return_distances=False, return_indices=True))
