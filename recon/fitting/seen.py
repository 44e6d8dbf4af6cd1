"""The surface that a picture shows: its depth, slopes and normals, and these smoothed within the picture.

Slopes are averaged over pixels that neither a change of colour where the surface turns nor a jump in depth keeps apart.
"""

from dataclasses import dataclass, replace

import numba
import numpy as np

from zero123pp.cameras import VIEW_FROM_CAM_AXES
from zero123pp.images import premultiply
from zero123pp.recon.ops import smooth_within
from zero123pp.recon.ops.field import rays as ray
from zero123pp.types import View

_SUPPORT = 0.3
"""Standard deviation of the filter where nothing stands in its way, as a share of the picture's width."""
_COLOR = 0.1
"""Change of colour, as a share of the object's contrast, that ends the filter where the surface turns."""
_TURN = 0.8
"""Change of the unit normal over `_REACH_PX` to both sides from which on the surface turns."""
_REACH_PX = 3
_PRINT = 0.1
"""Share of a change of colour that counts where the surface does not turn: what is printed on it, or its shading."""
_TURNED = 0.5
"""Change of the unit normal from which on a change of colour is expected."""
_DETAIL, _DETAIL_PX = 0.06, 9
"""Root mean square change of colour to the next pixel, as a share of the object's contrast, over squares of so many
pixels, at which normals are trusted half: where there is detail, colours tell the depth."""
_JUMP_PX = 6.0
"""Depth between neighbouring pixels, in widths of a pixel, that is a jump."""
_STEEP = 0.15
"""Cosine between surface and view below which slopes are not looked at."""
_EDGE_ON = 0.05
"""Cosine between a plane and the view below which its slope is not to be had."""
_ROUNDS = 3
_SOLID = 0.99
"""Alpha from which a pixel shows nothing but the object."""
_CUT = 1e6  # longer than every way


@dataclass(frozen=True)
class SeenSurface:
    """The surface that a picture (H, W) shows. Lengths in voxels, normals in world axes and 0 where there are none."""

    depth: np.ndarray
    """(H, W) 0 where nothing is."""
    slopes: np.ndarray
    """(H, W, 5), see `inverse_depth_slopes`."""
    raw: np.ndarray
    """(H, W, 3) its normals."""
    smoothed: np.ndarray
    """(H, W, 3) its normals, smoothed within the picture."""
    changes: np.ndarray
    """(n,) changes of colour, as shares of the object's contrast, at all places where the surface turns."""


class Picture:
    """A view of a level: what in it keeps pixels apart, and the surface that is seen through it. Lengths in voxels.

    ``rgba`` (H, W, 4) are its premultiplied colours; ``plain`` (H, W) is 1 where the object has no detail, less where
    it has some, 0 beside it; ``whole`` is the left, top, right and bottom of the view in pixels of the cut.
    """

    def __init__(self, view: View, pixels: np.ndarray, per_voxel: float, half_extent: float, contrast: float) -> None:
        """``pixels`` (R,) are looked at; the picture is cut to the rectangle round them."""
        from scipy.ndimage import minimum_filter1d

        rows, columns = np.divmod(pixels, view.alpha.shape[1])
        top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        self.pixels = (rows - top) * (right - left) + columns - left
        self._width = view.alpha.shape[1]
        whole = view.camera
        camera = replace(
            whole, cx=whole.cx - left, cy=whole.cy - top, width=int(right - left), height=int(bottom - top)
        )  # fmt: skip
        rgb, alpha = (values[top:bottom, left:right] for values in (view.rgb, view.alpha))
        self.rgba = premultiply(np.dstack([rgb, alpha]))
        rotation = camera.world_from_cam[:3, :3]
        self.camera, self.solid, self.confidence = camera, alpha > _SOLID, view.confidence
        self.whole = np.array([-left, -top, view.alpha.shape[1] - left, view.alpha.shape[0] - top], np.float64)
        self._centre = (camera.world_from_cam[:3, 3] + half_extent) * per_voxel
        intrinsics = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
        self.cam_to_world = np.column_stack([rotation @ np.linalg.inv(intrinsics), self._centre])
        self.world_to_cam = intrinsics @ np.column_stack([rotation.T, -rotation.T @ self._centre])
        change = [np.linalg.norm(np.diff(rgb, axis=axis), axis=-1) / contrast for axis in (1, 0)]
        across = np.pad(change[0], ((0, 0), (0, 1))).astype(np.float32)
        down = np.pad(change[1], ((0, 1), (0, 0))).astype(np.float32)
        # No colour stands beside the object: the way ends there anyhow.
        self._across, self._down = across / _COLOR, down / _COLOR
        self.plain = self.solid / (1 + _mean_square(across, down, self.solid) / _DETAIL**2)
        self._solid_reach = [minimum_filter1d(self.solid, 2 * _REACH_PX + 1, axis=axis) for axis in (0, 1)]
        self._changes = [_over_reach(rgb, axis) / contrast for axis in (1, 0)]

    def lengths(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) way along the line of sight through each pixel for a unit of depth."""
        x, y = self._offsets(shape)
        return np.sqrt(1 + (x / self.camera.fx) ** 2 + (y / self.camera.fy) ** 2)

    def facing(self, normals: np.ndarray) -> np.ndarray:
        """Cosines (H, W) between normals (H, W, 3) of any length in world axes and the way to the camera."""
        length = np.maximum(np.linalg.norm(normals, axis=-1), 1e-9)
        return normals @ (self.camera.world_from_cam[:3, :3] @ VIEW_FROM_CAM_AXES[2]) / length

    def seen(self, distances: np.ndarray, table: np.ndarray) -> SeenSurface:
        """What rays of a ``table`` meet at ``distances``."""
        forward = self.camera.world_from_cam[:3, 2]
        begin = (table[:, ray.ORIGIN : ray.ORIGIN + 3] - self._centre) @ forward
        depth = np.zeros(self.solid.size)
        along = table[:, ray.DIRECTION : ray.DIRECTION + 3] @ forward
        depth[self.pixels] = np.where(distances >= 0, begin + distances * along, 0)
        depth = depth.reshape(self.solid.shape)
        slopes = inverse_depth_slopes(depth, _JUMP_PX / np.sqrt(self.camera.fx * self.camera.fy))
        raw = self.normals(depth, slopes[..., :2])
        cuts = [np.where(slopes[..., part] > 0, 0, _CUT).astype(np.float32) for part in (3, 4)]
        even = (raw * slopes[..., 2:3]).astype(np.float32)
        smooth_within(even, 1 + cuts[0], 1 + cuts[1], 0.6 * _REACH_PX, 1)
        even /= np.maximum(np.linalg.norm(even, axis=-1, keepdims=True), 1e-6)
        support, ways, changes = _SUPPORT * self._width, [], []
        for axis, cut, change, over_reach in zip((1, 0), cuts, (self._across, self._down), self._changes):
            turn = _over_reach(even, axis)
            one_piece = _over_reach(np.cumsum(cut > 0, axis)[..., None], axis, before=True) == 0
            changes.append(over_reach[(turn > _TURNED) & one_piece & self._solid_reach[axis]])
            ways.append(1 + cut + support * change * _counted(turn, axis))
        weight = slopes[..., 2] * self.solid * (self.facing(raw) > _STEEP)
        mean = np.concatenate([slopes[..., :2] * weight[..., None], weight[..., None]], -1).astype(np.float32)
        smooth_within(mean, *ways, support, _ROUNDS)
        known = (mean[..., 2] > 1e-3) & (depth > 0)
        normals = self.normals(depth, mean[..., :2] / np.maximum(mean[..., 2:], 1e-6))
        normals = np.where(known[..., None], normals, 0).astype(np.float32)
        return SeenSurface(depth, slopes, raw, normals, np.concatenate(changes))

    def slopes_of(self, normals: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slopes (H, W) of the inverse depth, to the right and down, of planes with ``normals`` (H, W, 3) at ``depth``.

        The way back of `normals`, which is not to be had of planes along the line of sight: those are NaN.
        """
        inward = normals @ self.camera.world_from_cam[:3, :3]
        x, y = self._offsets(depth.shape)
        along = inward[..., 0] * x / self.camera.fx + inward[..., 1] * y / self.camera.fy + inward[..., 2]
        scale = np.where((np.abs(along) > _EDGE_ON) & (depth > 0), along * depth, np.nan)
        return inward[..., 0] / self.camera.fx / scale, inward[..., 1] / self.camera.fy / scale

    def _offsets(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """(W,) and (H, 1) pixels from the principal point to the centres of the pixels."""
        height, width = shape
        return np.arange(width) + 0.5 - self.camera.cx, np.arange(height)[:, None] + 0.5 - self.camera.cy

    def normals(self, depth: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Unit normals (H, W, 3) in world axes, from ``slopes`` (H, W, 2) of the inverse depth per pixel.

        A plane n X = d seen at X = (u, v, 1) / w has w = n (u, v, 1) / d: its slopes are n's first components over d.
        """
        camera = self.camera
        x, y = self._offsets(depth.shape)
        inverse = 1 / np.where(depth > 0, depth, 1)
        normal = np.empty((*depth.shape, 3))
        normal[..., 0], normal[..., 1] = slopes[..., 0] * camera.fx, slopes[..., 1] * camera.fy
        normal[..., 2] = inverse - x * slopes[..., 0] - y * slopes[..., 1]
        normal /= -np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        return normal @ camera.world_from_cam[:3, :3].T


def _mean_square(across: np.ndarray, down: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """Mean square (H, W) of the changes to the next pixels, between solid pixels, over squares of `_DETAIL_PX`."""
    from scipy.ndimage import uniform_filter

    total = np.zeros(solid.shape, np.float32)
    total[:, :-1] += across[:, :-1] ** 2 * (solid[:, :-1] & solid[:, 1:])
    total[:-1] += down[:-1] ** 2 * (solid[:-1] & solid[1:])
    share = uniform_filter(solid.astype(np.float32), _DETAIL_PX)
    return uniform_filter(total, _DETAIL_PX) / np.maximum(share, 1 / _DETAIL_PX)


def _over_reach(values: np.ndarray, axis: int, before: bool = False) -> np.ndarray:
    """Length (H, W) of the change of ``values`` (H, W, C) over `_REACH_PX` to both sides; 0 near the picture's border.

    With ``before`` what lies at the far end itself does not count, as suits links to the next pixel.
    """
    along = np.swapaxes(values, 0, axis)
    count = len(along) - 2 * _REACH_PX
    change = np.zeros(along.shape[:2], np.float32)
    if count > 0:
        first = np.concatenate([np.zeros_like(along[:1]), along[: count - 1]]) if before else along[:count]
        last = along[2 * _REACH_PX - before :][:count]
        change[_REACH_PX : _REACH_PX + count] = np.linalg.norm(last - first, axis=-1)
    return np.swapaxes(change, 0, axis)


def _counted(turn: np.ndarray, axis: int) -> np.ndarray:
    """How much a change of colour counts to the next pixel along ``axis`` (H, W), by how far the surface turns."""
    turn = np.clip(turn / _TURN, 0, 1) ** 2
    return (_PRINT + (1 - _PRINT) * np.maximum(turn, np.roll(turn, -1, axis))).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def transformed(matrix, x, y, z):
    """A point moved by a ``matrix`` (3, 4)."""
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3],
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3],
    )


@numba.njit(cache=True, nogil=True)
def inverse_depth_slopes(depth, jump):
    """Slopes of the inverse ``depth`` (H, W) per pixel, to the right and down, the mean of those to both neighbours.

    Returns (H, W, 5) float32: both slopes; 1 where there are any; and 1 where a pixel and the one on its right, and
    the one below, are of one surface: both show some, and their depths differ by less than ``jump`` times the depth.
    """
    height, width = depth.shape
    out = np.zeros((height, width, 5), np.float32)
    one = np.float32(1)
    for i in range(height):
        for j in range(width):
            z = depth[i, j]
            if z <= 0:
                continue
            if j + 1 < width and depth[i, j + 1] > 0 and abs(depth[i, j + 1] - z) < jump * z:
                out[i, j, 3] = one
            if i + 1 < height and depth[i + 1, j] > 0 and abs(depth[i + 1, j] - z) < jump * z:
                out[i, j, 4] = one
    for i in range(height):
        for j in range(width):
            if depth[i, j] <= 0:
                continue
            here, right, below, across, down = 1.0 / depth[i, j], 0.0, 0.0, 0, 0
            if out[i, j, 3] > 0:
                right, across = right + 1.0 / depth[i, j + 1] - here, across + 1
            if j > 0 and out[i, j - 1, 3] > 0:
                right, across = right + here - 1.0 / depth[i, j - 1], across + 1
            if out[i, j, 4] > 0:
                below, down = below + 1.0 / depth[i + 1, j] - here, down + 1
            if i > 0 and out[i - 1, j, 4] > 0:
                below, down = below + here - 1.0 / depth[i - 1, j], down + 1
            if across > 0 and down > 0:
                out[i, j, 0], out[i, j, 1], out[i, j, 2] = right / across, below / down, one
    return out
