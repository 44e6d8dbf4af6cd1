"""A silhouette inflated to a closed solid: the shape guess that needs one picture and no learning.

The height over the picture plane is the square root of the solution of a Poisson equation with zero boundary
values, so every part gets a thickness like its own width: a disc becomes a ball, a bar a round bar, and a thin
handle beside a broad body stays thin. (The idea of inflating a drawn outline is that of Igarashi et al., "Teddy",
SIGGRAPH 1999.)

Picture-plane frame of this module: x right, y up, z towards the viewer, origin at the centre of the picture, the
side of the square picture is 1. The solid is symmetric in z; its outline is the alpha = 1/2 contour, to a fraction
of a pixel. `behind_picture` carries it into the viewing frustum of a camera.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from zero123pp.errors import BadInput
from zero123pp.types import ByContent, Mesh

_MARGIN = 2  # empty nodes round the silhouette, so that every outline closes
_LEAST_CROSSING = 0.02  # of a grid step: the nearest an outline vertex may come to a node, against needle triangles


@dataclass(frozen=True)
class InflateConfig:
    """How a silhouette becomes a solid."""

    grid: int = 320
    """Nodes along the longer side of the silhouette; the resolution of the six views is enough."""
    roundness: float = 4.0
    """Factor of the Poisson solution under the root: 4 makes a disc a ball, 2 makes a long bar a round bar."""
    depth_limit: float = 1.0
    """Depth that no part reaches, as a fraction of the smaller side of the silhouette's box; a disc gets 0.71 of it.
    (Everyday objects seen from 30 degrees aside are 1.0 to 1.7 as deep as that side: quartiles of 80 meshes.)"""
    smallest_part: float = 2e-4
    """Islands and holes below this fraction of the silhouette's area are noise of the cutout and are dropped."""

    def __post_init__(self) -> None:
        if not (self.grid >= 8 and self.roundness > 0 and self.depth_limit > 0 and 0 <= self.smallest_part < 1):
            raise BadInput(f"inflate settings out of range: {self}")


@dataclass(frozen=True, eq=False)
class Inflated(ByContent):
    """A solid over the picture plane (frame: the module's header)."""

    mesh: Mesh
    """Closed and 2-manifold. The first half of the faces is the front; the second half is the back, in the same
    order. The two share the vertices on the outline and nothing else."""
    height: np.ndarray
    """(S, S) float32, half the thickness over each pixel of the alpha given, picture sides; 0 outside."""


def inflate(alpha: np.ndarray, config: InflateConfig = InflateConfig()) -> Inflated:
    """Inflate the region alpha >= 1/2 of a square picture (S, S), values in [0, 1].

    Several components and holes are kept. Raises BadInput for a wrong shape or an empty silhouette.
    """
    alpha = np.asarray(alpha, np.float32)
    if alpha.ndim != 2 or alpha.shape[0] != alpha.shape[1] or not np.isfinite(alpha).all():
        raise BadInput(f"alpha has shape {alpha.shape}; expected a finite square (S, S)")
    size = len(alpha)
    level, origin, step = _resample(_without_specks(alpha, config.smallest_part) - 0.5, config.grid)
    inside = level > 0
    if not inside.any():
        raise BadInput("the silhouette is empty: no pixel is more than half opaque; check the cutout")
    height = np.sqrt(config.roundness * _solve_poisson(level))
    rows, columns = np.nonzero(inside)
    smaller = min(np.ptp(rows), np.ptp(columns)) + 1
    height = _soft_limit(height, 0.5 * config.depth_limit * smaller)
    nodes, faces = _two_sheets(level, height)
    vertices = np.column_stack(
        [
            (origin[0] + step * nodes[:, 0]) / size - 0.5,
            0.5 - (origin[1] + step * nodes[:, 1]) / size,
            nodes[:, 2] * step / size,
        ]
    )
    return Inflated(Mesh(vertices, faces), _height_per_pixel(height, origin, step, size))


def behind_picture(vertices: np.ndarray, distance: float, scale: float) -> np.ndarray:
    """Carry points (N, 3) from the picture-plane frame into the frustum of the front camera, world frame.

    The camera stands at (0, 0, distance) and looks at the origin. Lines along z become its viewing rays, so the
    camera sees exactly the silhouette that was inflated; ``scale`` is the length of the picture's side on the plane
    through the origin. The map is projective (quadrics stay quadrics), with the outline put on the plane
    z = h^2 / distance, h the largest height: the contour of a ball of radius h seen from there. So a ball stays a
    ball, where heights laid off along the rays would make an egg with its point to the front.
    """
    x, y, h = (scale * np.asarray(vertices, np.float64)).T
    outline_plane = np.abs(h).max(initial=0.0) ** 2 / distance
    w = 1 + h / distance
    shrink = (1 - outline_plane / distance) / w
    return np.column_stack([x * shrink, y * shrink, (outline_plane + h) / w])


def _without_specks(alpha: np.ndarray, smallest_part: float) -> np.ndarray:
    """Alpha without islands and pinholes: a one-pixel hole would pin the height to zero in the middle of a part."""
    inside = alpha > 0.5
    least = smallest_part * inside.sum()
    cleaned = alpha.copy()
    for region, connectivity, value in ((inside, np.ones((3, 3)), 0.0), (~inside, None, 1.0)):
        labels, _ = ndimage.label(region, connectivity)
        small = np.bincount(labels.ravel()) < least
        small[0] = False
        cleaned[small[labels]] = value
    return cleaned


def _resample(level: np.ndarray, grid: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The silhouette's box, resampled so that its longer side has ``grid`` nodes.

    Returns level (ny, nx), the picture coordinates (x, y) of node (0, 0) in px, and the node spacing in px.
    """
    from PIL import Image

    rows, columns = np.nonzero(level > 0)
    if not len(rows):
        return level, np.full(2, 0.5), 1.0
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    step = float((high - low).max()) / grid
    margin = _MARGIN * step
    counts = np.ceil((high - low) / step).astype(int) + 2 * _MARGIN
    corner = low - margin
    pad = int(np.ceil(margin + step)) + 1
    padded = np.pad(level, pad, constant_values=-0.5)
    box = np.concatenate([corner, corner + counts * step]) + pad
    # Pillow's filters widen with the reduction, so a finer cutout is averaged, not point-sampled.
    picture = Image.fromarray(padded).resize(tuple(counts.tolist()), Image.Resampling.BICUBIC, box=tuple(box.tolist()))
    resampled = np.array(picture, np.float32)
    border = np.ones(resampled.shape, bool)
    border[1:-1, 1:-1] = False
    resampled[border] = np.minimum(resampled[border], -1e-3)
    return resampled, corner + 0.5 * step, step


def _crossing(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Where the level changes sign between an inner (> 0) and an outer (<= 0) node, as a fraction from the inner."""
    return np.clip(inner / (inner - outer), _LEAST_CROSSING, 1 - _LEAST_CROSSING)


def _solve_poisson(level: np.ndarray) -> np.ndarray:
    """Solve laplace(u) = -1 where level > 0 with u = 0 on its zero contour; grid units squared, 0 outside.

    Five-point stencil with the outline at its sub-node place (Gibou et al., J. Comput. Phys. 176, 2002: symmetric
    and second-order), so that the rim does not copy the stairs of the grid.
    """
    inside = level > 0
    count = int(inside.sum())
    index = np.full(level.shape, -1)
    index[inside] = np.arange(count)
    diagonal = np.zeros(count)
    links = []
    for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
        next_level = np.roll(level, -side, axis)[inside]
        next_index = np.roll(index, -side, axis)[inside]
        linked = next_index >= 0
        diagonal += np.where(linked, 1.0, 1.0 / _crossing(level[inside], np.minimum(next_level, -1e-9)))
        links.append((np.nonzero(linked)[0], next_index[linked]))
    rows, columns = (np.concatenate(part) for part in zip(*links))
    matrix = sparse.diags(diagonal) - sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    solution = np.zeros(level.shape)
    solution[inside] = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(
        np.ones(count)
    )
    return np.maximum(solution, 0)


def _soft_limit(height: np.ndarray, limit: float) -> np.ndarray:
    """Heights bent below ``limit``: nearly unchanged where small, round tops stay round (no plateau)."""
    return height / np.sqrt(1 + (height / limit) ** 2)


def _two_sheets(level: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate the region level > 0 twice, at +height and -height, sewn along the zero contour.

    Marching triangles over the grid's cells: unlike squares they have no ambiguous case, so the outline never
    touches itself and the solid is a 2-manifold. Returns nodes (N, 3): column, row, signed height in grid units,
    and faces (F, 3), outward (seen with y up), the front half first.
    """
    ny, nx = level.shape
    ids = np.arange(ny * nx).reshape(ny, nx)
    a, b, c, d = (ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1])  # clockwise on screen from the top left
    cells = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, d, c), (a, c, b))])  # counter-clockwise
    flat = level.ravel()
    inside = flat > 0
    triangles, edges = _clip(cells, inside)
    edges, edge_of_corner = np.unique(edges, axis=0, return_inverse=True)  # (inner node, outer node)
    used = np.unique(triangles[triangles >= 0])
    front_id = np.full(ny * nx, -1)
    front_id[used] = np.arange(len(used))
    front = np.where(triangles >= 0, front_id[triangles], 0)
    front[triangles < 0] = 2 * len(used) + edge_of_corner.ravel()
    back = np.where(front < len(used), front + len(used), front)[:, ::-1]

    column, row = used % nx, used // nx
    h = height.ravel()[used]
    t = _crossing(flat[edges[:, 0]], flat[edges[:, 1]])
    rim_column = (1 - t) * (edges[:, 0] % nx) + t * (edges[:, 1] % nx)
    rim_row = (1 - t) * (edges[:, 0] // nx) + t * (edges[:, 1] // nx)
    nodes = np.concatenate(
        [
            np.column_stack([column, row, h]),
            np.column_stack([column, row, -h]),
            np.column_stack([rim_column, rim_row, np.zeros(len(t))]),
        ]
    )
    return nodes, np.concatenate([front, back])


def _clip(cells: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clip triangles (M, 3) of grid nodes to the inside.

    Returns triangles (F, 3), where -1 marks a corner on the contour, and the (inner, outer) node pairs (K, 2) whose
    edges hold these corners, in the row-major order of the marks.
    """
    number = inside[cells].sum(1)
    whole = cells[number == 3]
    # Rotate so that the odd one out comes first: the single inner node, or the single outer one.
    one, two = cells[number == 1], cells[number == 2]
    one = _rotated(one, np.argmax(inside[one], axis=1))
    two = _rotated(two, np.argmin(inside[two], axis=1))
    p, q, r = one.T
    none = np.full(len(one), -1)
    tips = np.stack([p, none, none], -1)
    tip_edges = np.stack([np.stack([p, q], -1), np.stack([p, r], -1)], 1).reshape(-1, 2)
    o, p, q = two.T  # o is outside; the quad is (o-p crossing, p, q, q-o crossing)
    none = np.full(len(two), -1)
    quads = np.stack([np.stack([none, p, q], -1), np.stack([none, q, none], -1)], 1).reshape(-1, 3)
    op, oq = np.stack([p, o], -1), np.stack([q, o], -1)
    quad_edges = np.stack([op, op, oq], 1).reshape(-1, 2)
    return np.concatenate([whole, tips, quads]), np.concatenate([tip_edges, quad_edges])


def _rotated(triangles: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Triangles with their corner ``first`` moved to the front, the winding kept."""
    return np.take_along_axis(triangles, (first[:, None] + np.arange(3)) % 3, axis=1)


def _height_per_pixel(height: np.ndarray, origin: np.ndarray, step: float, size: int) -> np.ndarray:
    """Heights of the working grid at the centres of the picture's pixels, in picture sides."""
    centre = np.arange(size) + 0.5
    rows, columns = np.meshgrid((centre - origin[1]) / step, (centre - origin[0]) / step, indexing="ij")
    squared = ndimage.map_coordinates(height**2, [rows, columns], order=1)  # the square is smooth up to the rim
    return (np.sqrt(squared) * step / size).astype(np.float32)
