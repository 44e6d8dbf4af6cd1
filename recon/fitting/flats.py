"""Normals that the fit gives to itself: those of its surface, smoothed within what the pictures do not contradict.

Colours say little of depth on flats, so that the steps leave waves and bulges there. Yet over a patch of a picture the
mean slope of the inverse depth depends on the patch's rim alone (Stokes), and on a plane that slope is the same
everywhere: where the rim of a face is right, the mean slope within it is the face's, however its inside bulges. So
slopes are averaged within each view, over pixels that neither a change of colour where the surface turns nor a jump in
depth keeps apart; where views see the same place, they have to agree, and where a picture is full of detail its colours
know better. All of it rests on pictures that show where a surface turns, as light does; those of a plain object without
light show nothing, which is noticed.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numba
import numpy as np

from zero123pp.cameras import VIEW_FROM_CAM_AXES
from zero123pp.recon.ops import smooth_within
from zero123pp.recon.ops.field import rays as ray
from zero123pp.recon.ops.field import surface
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
_TURNED, _SHOWN = 0.5, 0.1
"""Change of the unit normal from which on a change of colour is expected, and its median, as a share of the object's
contrast, below which normals are trusted in proportion. Training objects: .09 to 1.8 under light; without light .02 for
a fox and .03 for a cube of plain patches, .5 to 1.9 for a block of wood and an apple."""
_DETAIL, _DETAIL_PX = 0.06, 9
"""Root mean square change of colour to the next pixel, as a share of the object's contrast, over squares of so many
pixels, at which normals are trusted half: where there is detail, colours tell the depth."""
_JUMP_PX = 6.0
"""Depth between neighbouring pixels, in widths of a pixel, that is a jump."""
_STEEP = 0.15
"""Cosine between surface and view below which slopes are not looked at."""
_ROUNDS = 3
_AGREE_DEG = 15.0
"""Angle between the normals of views up to which they are trusted, to nothing at twice of it."""
_ALONE = 0.3
"""Trust in what one view sees alone."""
_COMPARED = 5
"""Views that a view is compared with, those that look from nearest by."""
_SAME_PLACE = 1.5
"""Voxels between two surfaces that are the same."""
_SOLID = 0.99
"""Alpha from which a pixel shows nothing but the object."""
_CUT = 1e6  # longer than every way


class SmoothNormals:
    """Asks a surface for its normals, smoothed within the pictures of a level."""

    def __init__(
        self, views: Sequence[View], table: np.ndarray, pixels: np.ndarray, half_extent: float, resolution: int,
        contrast: float, pool: Executor,
    ) -> None:  # fmt: skip
        """Set up.

        Args:
            views: of the level.
            table: (R, RAY_SIZE) its rays.
            pixels: (R,) whose they are, counted through all pixels of all views.
            half_extent: of the grid, world units.
            resolution: nodes along an axis of the grid.
            contrast: of the object, sRGB.
            pool: runs the kernels.
        """
        sizes = np.cumsum([0, *(view.alpha.size for view in views)])
        ends = np.searchsorted(pixels, sizes)
        self._pool, self._table = pool, table
        looked_at = [index for index in range(len(views)) if ends[index] < ends[index + 1]]
        views = [views[index] for index in looked_at]
        self._rows = [slice(ends[index], ends[index + 1]) for index in looked_at]
        per_voxel = (resolution - 1) / (2 * half_extent)
        self._views = [
            _Picture(view, pixels[rows] - size, per_voxel, half_extent, contrast)
            for view, rows, size in zip(views, self._rows, sizes[looked_at])
        ]
        towards = np.stack([view.camera.world_from_cam[:3, 2] for view in views])
        nearest = np.argsort(-(towards @ towards.T), axis=1, kind="stable")
        self._others = [[other for other in row if other != own][:_COMPARED] for own, row in enumerate(nearest)]

    def __call__(self, sdf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals (R, 3) of the rays in world axes, and how far to trust them (R,), 0 to 1.

        ``sdf`` (n, n, n) are signed distances in voxels.
        """
        sdf = np.ascontiguousarray(sdf, np.float32)

        def seen(picture: _Picture, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return picture.smoothed(surface.first_crossings(sdf, self._table[rows]), self._table[rows])

        found = list(self._pool.map(seen, self._views, self._rows))
        depths = [depth for depth, _, _ in found]
        changes = np.concatenate([change for _, _, change in found])
        shown = min(float(np.median(changes)) / _SHOWN, 1.0) if len(changes) else 1.0

        def agreed(own: int) -> tuple[np.ndarray, np.ndarray]:
            total, worst = found[own][1].copy(), np.full(depths[own].shape, 2, np.float32)
            for other in self._others[own]:
                _compare(
                    depths[own], found[own][1], self._views[own].cam_to_world, *found[other][:2],
                    self._views[other].world_to_cam, _SAME_PLACE, total, worst,
                )  # fmt: skip
            angle = np.degrees(np.arccos(np.clip(worst, -1, 1)))
            trust = np.where(worst > 1.5, _ALONE, np.clip(2 - angle / _AGREE_DEG, 0, 1))
            trust *= shown * np.clip((self._views[own].facing(total) - 0.1) / 0.2, 0, 1)
            trust *= self._views[own].plain * (depths[own] > 0)
            total /= np.maximum(np.linalg.norm(total, axis=-1, keepdims=True), 1e-9)
            at = self._views[own].pixels
            return total.reshape(-1, 3)[at], trust.reshape(-1)[at].astype(np.float32)

        result = list(self._pool.map(agreed, range(len(self._views))))
        return np.concatenate([normal for normal, _ in result]), np.concatenate([trust for _, trust in result])


class _Picture:
    """A view of a level: what in it keeps pixels apart, and the surface that is seen through it. Lengths in voxels.

    ``plain`` (H, W) is 1 where the object has no detail, less where it has some, 0 beside it.
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
        rotation = camera.world_from_cam[:3, :3]
        self._camera, self.solid = camera, alpha > _SOLID
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

    def facing(self, normals: np.ndarray) -> np.ndarray:
        """Cosines (H, W) between normals (H, W, 3) of any length in world axes and the way to the camera."""
        length = np.maximum(np.linalg.norm(normals, axis=-1), 1e-9)
        return normals @ (self._camera.world_from_cam[:3, :3] @ VIEW_FROM_CAM_AXES[2]) / length

    def smoothed(self, distances: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth (H, W) of what rays of a ``table`` meet at ``distances``, 0 where nothing, and its smoothed normals.

        Normals (H, W, 3) are in world axes, 0 where there are none. The third are changes of colour (n,), as shares of
        the object's contrast, at all places where the surface turns.
        """
        forward = self._camera.world_from_cam[:3, 2]
        begin = (table[:, ray.ORIGIN : ray.ORIGIN + 3] - self._centre) @ forward
        depth = np.zeros(self.solid.size)
        along = table[:, ray.DIRECTION : ray.DIRECTION + 3] @ forward
        depth[self.pixels] = np.where(distances >= 0, begin + distances * along, 0)
        depth = depth.reshape(self.solid.shape)
        slopes = inverse_depth_slopes(depth, _JUMP_PX / np.sqrt(self._camera.fx * self._camera.fy))
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
        return depth, np.where(known[..., None], normals, 0).astype(np.float32), np.concatenate(changes)

    def normals(self, depth: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Unit normals (H, W, 3) in world axes, from ``slopes`` (H, W, 2) of the inverse depth per pixel.

        A plane n X = d seen at X = (u, v, 1) / w has w = n (u, v, 1) / d: its slopes are n's first components over d.
        """
        height, width = depth.shape
        camera = self._camera
        x, y = np.arange(width) + 0.5 - camera.cx, np.arange(height)[:, None] + 0.5 - camera.cy
        inverse = 1 / np.where(depth > 0, depth, 1)
        normal = np.empty((height, width, 3))
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


@numba.njit(cache=True, nogil=True)
def _compare(depth, normal, to_world, other_depth, other_normal, to_other, tolerance, total, worst):
    """Add to ``total`` (H, W, 3) what another view says of the same places, and lower ``worst`` (H, W) to its cosine.

    ``to_world`` (3, 4) takes (x z, y z, z, 1), pixels and depth, to the world, ``to_other`` (3, 4) is the other view's
    way back; all in voxels.
    """
    height, width = other_depth.shape
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            z = depth[i, j]
            if z <= 0:
                continue
            a, b = z * (j + 0.5), z * (i + 0.5)
            x = to_world[0, 0] * a + to_world[0, 1] * b + to_world[0, 2] * z + to_world[0, 3]
            y = to_world[1, 0] * a + to_world[1, 1] * b + to_world[1, 2] * z + to_world[1, 3]
            w = to_world[2, 0] * a + to_world[2, 1] * b + to_world[2, 2] * z + to_world[2, 3]
            far = to_other[2, 0] * x + to_other[2, 1] * y + to_other[2, 2] * w + to_other[2, 3]
            if far <= 0:
                continue
            px = (to_other[0, 0] * x + to_other[0, 1] * y + to_other[0, 2] * w + to_other[0, 3]) / far
            py = (to_other[1, 0] * x + to_other[1, 1] * y + to_other[1, 2] * w + to_other[1, 3]) / far
            if not (0 <= px < width and 0 <= py < height):
                continue
            column, row = int(px), int(py)
            if abs(other_depth[row, column] - far) > tolerance:
                continue
            n0, n1, n2 = other_normal[row, column, 0], other_normal[row, column, 1], other_normal[row, column, 2]
            faces = -(n0 * to_other[2, 0] + n1 * to_other[2, 1] + n2 * to_other[2, 2])
            if faces < 0.2:  # at a slant, or unknown
                continue
            share = np.float32(faces * faces)
            total[i, j, 0] += share * n0
            total[i, j, 1] += share * n1
            total[i, j, 2] += share * n2
            cosine = normal[i, j, 0] * n0 + normal[i, j, 1] * n1 + normal[i, j, 2] * n2
            worst[i, j] = min(worst[i, j], cosine)
