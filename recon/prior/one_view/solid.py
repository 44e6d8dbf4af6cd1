"""From depth maps of one picture to a closed surface: the union of what lies between them along each ray.

The grid is the picture's own: rows and columns are rays, layers are depths, so the outline is met exactly, and the
surface is carried into space only at the end. Distances are in steps of the grid, which has square cells on the
object's plane.
"""

from dataclasses import dataclass

import numpy as np

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.types import ByContent

_MOST = 3.0
"""Steps beyond which a distance from the surface is cut off."""

_SHEET = 0.8
"""Steps; half the thickness that a smooth solid keeps at least."""

_SLIT = 1.0
"""Steps; half the width of a slit that opens no hollow."""

_ROOM = 4
"""Empty layers before and behind."""

_SLANTED = 0.3
"""Least cosine between a surface and its ray: steeper ones are jumps between two surfaces."""


@dataclass(frozen=True)
class SolidConfig:
    """How depth maps become a solid."""

    rays: int = 152
    """Rays along a side of the crop."""
    relief_px: float = 6.0
    """Finer details than this many pixels of the network's come from its normals; 0: none."""
    rounding: float = 0.35
    """Width of the round rim over half the thickness there; 0 leaves the rim as the network has it."""
    blur: float = 0.8
    """Steps of the grid, standard deviation, over which the solid is smooth."""
    turn: float = 1.4
    """Factor of the slope from left to right that the network sees in the object's middle, see `turned_more`."""
    least_gap: float = 0.5
    """Probability from which a gap along a ray is one."""
    smallest_hole: float = 0.004
    """Holes of the cutout below this share of the object's area are closed."""

    def __post_init__(self) -> None:
        bounds = {"rays": (32, 512), "relief_px": (0, 64), "rounding": (0, 1), "blur": (0, 4)}
        for name, (least, most) in (bounds | {"turn": (0, 4), "least_gap": (0, 1), "smallest_hole": (0, 1)}).items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected {least} to {most}")


@dataclass(frozen=True, eq=False)
class Sheets(ByContent):
    """Depths along N x N rays, ready to be filled in between; in half sides of the crop."""

    front: np.ndarray
    """(N, N) float32."""
    back: np.ndarray
    """(N, N)."""
    hollow_front: np.ndarray
    """(N, N) where a gap begins; behind ``hollow_back`` where there is none."""
    hollow_back: np.ndarray
    """(N, N)."""
    edge: np.ndarray
    """(N, N) distance from the outline, negative inside."""


@dataclass(frozen=True, eq=False)
class Grid(ByContent):
    """Distances from a surface over rays and depths."""

    field: np.ndarray
    """(N, N, K) float32 in steps, negative inside."""
    first: float
    """Depth of the first layer."""

    @property
    def step(self) -> float:
        """Between neighbours along each axis, half sides of the crop."""
        return 2 / len(self.field)


def filled(sheets: Sheets) -> Grid:
    """What lies between the sheets, as distances. Raises StageFailed where there is nothing."""
    from zero123pp.recon.prior.one_view.kernels import interval_field

    inside = sheets.edge < 0
    if not inside.any():
        raise StageFailed("there is no object in the crop; check the cutout")
    step = 2 / len(sheets.edge)
    first = float(sheets.front[inside].min()) - _ROOM * step
    count = int(np.ceil((float(sheets.back[inside].max()) - first) / step)) + _ROOM
    parts = (sheets.front, sheets.back, sheets.hollow_front, sheets.hollow_back)
    slants = (cosines(sheets.front, step), cosines(sheets.back, step))
    parts = [np.ascontiguousarray(part, np.float32) for part in (*parts, *slants, sheets.edge)]
    field = interval_field(*parts, np.float32(first), np.float32(step), count, np.float32(_MOST))
    return Grid(_without_cavities(field) if (sheets.hollow_front < sheets.hollow_back).any() else field, first)


def _without_cavities(field: np.ndarray) -> np.ndarray:
    """Distances (N, N, K) without the hollows that are shut, or open by no more than a slit: nobody looks into them."""
    from scipy.ndimage import binary_dilation, label

    rooms, count = label(np.pad(field > _SLIT, 1, constant_values=True))
    if count < 2:
        return field
    shut = ((rooms > 0) & (rooms != rooms[0, 0, 0]))[1:-1, 1:-1, 1:-1]
    return np.where(
        binary_dilation(shut, iterations=2) & ~(rooms == rooms[0, 0, 0])[1:-1, 1:-1, 1:-1], np.float32(-_MOST), field
    )


def cosines(depth: np.ndarray, step: float) -> np.ndarray:
    """Of the angle between the normals of a depth map and its rays."""
    down, across = np.gradient(depth, step)
    return np.maximum(1 / np.sqrt(1 + down**2 + across**2), _SLANTED)


def smoothed(grid: Grid, edge: np.ndarray, blur: float) -> Grid:
    """The solid smooth, its outline as sharp as before, and with all of its thin parts.

    Args:
        grid: see `filled`.
        edge: (N, N) distance from the outline, half sides of the crop.
        blur: steps, standard deviation.
    """
    from scipy.ndimage import gaussian_filter

    if blur == 0:
        return grid
    even = gaussian_filter(grid.field, blur, truncate=2.5)
    # Where blurring dissolves what is thin, the field stays as it is.
    thin = np.clip(even.min(-1) - grid.field.min(-1) - 0.6, 0, 1)
    thin = gaussian_filter(thin * (grid.field.min(-1) < 0), 1.0)[..., None]
    even += np.clip(2 * thin, 0, 1) * (grid.field - even)
    outline = np.clip(edge / grid.step, -_MOST, _MOST).astype(np.float32)
    return Grid(_with_outline(np.maximum(even, outline[..., None]), grid.field, outline), grid.first)


def _with_outline(even: np.ndarray, field: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The smooth distances (N, N, K), and on rays that they lost a sheet in the middle of what ``field`` has there."""
    wanted = np.maximum(outline, -_SHEET)
    lost = (wanted < 0) & (even.min(-1) > wanted)
    if not lost.any():
        return even
    inside = field[lost] < 0
    layers = np.arange(field.shape[2], dtype=np.float32)
    middle = (inside * layers).sum(-1) / np.maximum(inside.sum(-1), 1)
    sheet = np.maximum(np.abs(layers - middle[:, None]) - _SHEET, outline[lost][:, None])
    even[lost] = np.where(inside.any(-1, keepdims=True), np.minimum(even[lost], sheet), even[lost])
    return even


def surface(grid: Grid, smallest_piece: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) as (u, v, depth), u and v in [-1, 1] over the crop, and faces (F, 3) of the zero level.

    Pieces of less than ``smallest_piece`` of the largest one's volume are left out. Raises StageFailed where nothing
    is inside.
    """
    from scipy.ndimage import label
    from skimage.measure import marching_cubes

    field = np.pad(grid.field, 1, constant_values=_MOST)
    pieces, count = label(field < 0)
    if count == 0:
        raise StageFailed("the network sees no solid in the picture; check the cutout")
    if count > 1:
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        field[(sizes < smallest_piece * sizes.max())[pieces] & (pieces > 0)] = 1
    nodes, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
    rows, columns, layers = (nodes - 1).T
    size = len(grid.field)
    places = [(columns + 0.5) / size * 2 - 1, (rows + 0.5) / size * 2 - 1, grid.first + layers * grid.step]
    return np.stack(places, -1), faces
