"""What is seen where, in plain torch: for devices on which nothing can be compiled. The same rules as in Numba.

`zero123pp.recon.ops.raster.zbuffer` and `zero123pp.recon.ops.raster.crossings` are the specification. Triangles that
reach to the camera plane or behind it are left out here.
"""

import torch

from zero123pp.recon.ops.raster.zbuffer import NEAR

_CANDIDATES = 1 << 23
"""Pairs of a triangle and a pixel that are looked at together; some hundred bytes each."""


def rasterize(points: torch.Tensor, faces: torch.Tensor, width: int, height: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest triangle through every pixel centre.

    Args:
        points: (N, 3) homogeneous on the screen, float64.
        faces: (F, 3) int64.
        width: of the picture, px.
        height: of the picture, px.

    Returns:
        face (H, W) int64, -1 for none, and depth (H, W) float32, 0 where there is none.
    """
    first, sides = _boxes(points, faces, width, height)
    ends = torch.cumsum(sides[:, 0] * sides[:, 1], 0)
    # Depth and face in one number: the smallest is the nearest, and of equally near ones the one of lowest index.
    nearest = torch.full((height * width,), torch.iinfo(torch.int64).max, device=points.device)
    start, total = 0, int(ends[-1]) if len(ends) else 0
    while start < len(faces) and total:
        done = int(ends[start - 1]) if start else 0
        limit = torch.searchsorted(ends, done + _CANDIDATES, right=True)
        stop = max(int(limit), start + 1)
        _draw(points, faces, first, sides, range(start, stop), width, nearest)
        start = stop
    covered = nearest < torch.iinfo(torch.int64).max
    depth = (nearest >> 32).to(torch.int32).view(torch.float32)
    face = torch.where(covered, nearest & 0xFFFFFFFF, -1)
    return face.reshape(height, width), torch.where(covered, depth, 0.0).reshape(height, width)


def _boxes(points: torch.Tensor, faces: torch.Tensor, width: int, height: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First pixel (F, 2) and sides (F, 2), px, of the box round each triangle; 0 where it is not in the picture."""
    corners = points[faces]  # (F, 3, 3)
    in_front = (corners[..., 2] >= NEAR).all(1)
    screen = corners[..., :2] / torch.where(in_front[:, None, None], corners[..., 2:], 1.0)
    most = screen.new_tensor([width - 1, height - 1])
    # One spare pixel covers the rounding. Clamped before the conversion: far outside, a float fits no integer.
    first = torch.minimum(torch.floor(screen.amin(1) - 0.5).clamp(min=0), most + 1).long()
    last = torch.minimum(torch.ceil(screen.amax(1) - 0.5).clamp(min=-1), most).long()
    sides = (last - first + 1).clamp(min=0)
    return first, torch.where(in_front[:, None] & (sides > 0).all(1, keepdim=True), sides, 0)


def _draw(
    points: torch.Tensor, faces: torch.Tensor, first: torch.Tensor, sides: torch.Tensor, part: range, width: int,
    nearest: torch.Tensor,
) -> None:  # fmt: skip
    """Put the triangles of ``part`` into ``nearest`` (H W), in place."""
    chosen = torch.arange(part.start, part.stop, device=points.device)
    counts = sides[chosen, 0] * sides[chosen, 1]
    face = torch.repeat_interleave(chosen, counts)  # (M,) one entry per pixel of each box
    within = torch.arange(len(face), device=points.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    column = first[face, 0] + within % sides[face, 0]
    row = first[face, 1] + torch.div(within, sides[face, 0], rounding_mode="floor")
    a, b, c = points[faces[chosen]].unbind(1)
    volume = (a * torch.linalg.cross(b, c)).sum(1)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    edges = edges * torch.sign(volume)[:, None, None]  # (part, 3 edges, 3)
    of = face - part.start
    edge = edges[of]
    value = edge[..., 0] * (column + 0.5)[:, None] + edge[..., 1] * (row + 0.5)[:, None] + edge[..., 2]
    owns = (edge[..., 0] > 0) | ((edge[..., 0] == 0) & (edge[..., 1] > 0))  # a centre exactly on an edge
    inside = ((value > 0) | ((value == 0) & owns)).all(1)
    total = value.sum(1)
    depth = volume.abs()[of] / torch.where(total > 0, total, 1.0)
    inside &= (total > 0) & (depth >= NEAR) & (volume[of] != 0)
    bits = depth[inside].float().view(torch.int32).long()
    key = (bits << 32) | face[inside]
    nearest.scatter_reduce_(0, (row * width + column)[inside], key, "amin")


def find_crossings(
    points: torch.Tensor, faces: torch.Tensor, neighbours: torch.Tensor, face: torch.Tensor, depth: torch.Tensor,
    reach: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Owner (K,), other (K,) and edge (K, 2) of `zero123pp.recon.ops.raster.crossings.find_crossings`, in any order."""
    screen = points[:, :2] / torch.where(points[:, 2:] > 0, points[:, 2:], torch.nan)
    found = [_of_axis(screen, faces, neighbours, face, depth, reach, axis) for axis in (0, 1)]
    owner, other, edge = (torch.cat(parts) for parts in zip(*found))
    return owner, other, edge


def _of_axis(
    screen: torch.Tensor, faces: torch.Tensor, neighbours: torch.Tensor, face: torch.Tensor, depth: torch.Tensor,
    reach: int, axis: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Crossings of pairs in a row (axis 0) or in a column (axis 1)."""
    width = face.shape[1]
    here, there = (face[:, :-1], face[:, 1:]) if axis == 0 else (face[:-1], face[1:])
    row, column = torch.nonzero(here != there, as_tuple=True)
    first, step = row * width + column, 1 if axis == 0 else width
    near, far = face.reshape(-1)[first], face.reshape(-1)[first + step]
    flat = depth.reshape(-1)
    forward = (far < 0) | ((near >= 0) & (flat[first] <= flat[first + step]))
    sign = torch.where(forward, 1.0, -1.0).to(screen.dtype)
    start = torch.where(forward, 0, 1) + (column if axis == 0 else row) + 0.5
    level = (row if axis == 0 else column) + 0.5
    edge = _walk(screen, faces, neighbours, torch.where(forward, near, far), start, level, sign, axis, reach)
    kept = edge[:, 0] >= 0
    owner, other = torch.where(forward, first, first + step), torch.where(forward, first + step, first)
    return owner[kept], other[kept], edge[kept]


def _walk(
    screen: torch.Tensor, faces: torch.Tensor, neighbours: torch.Tensor, face: torch.Tensor, start: torch.Tensor,
    level: torch.Tensor, sign: torch.Tensor, axis: int, reach: int,
) -> torch.Tensor:  # fmt: skip
    """The silhouette edge (K, 2) that each pair meets, -1 where none; all pairs go on together, face by face."""
    edge = torch.full((len(face), 2), -1, device=face.device)
    going = torch.arange(len(face), device=face.device)
    for _ in range(reach + 1):
        if not len(going):
            break
        corners = faces[face]  # (k, 3)
        along, across = screen[corners, axis], screen[corners, 1 - axis]
        p, q = [1, 2, 0], [2, 0, 1]  # ends of the edge opposite to each corner
        low = across <= level[going, None]
        share = (level[going, None] - across[:, p]) / (across[:, q] - across[:, p])
        length = (along[:, p] + share * (along[:, q] - along[:, p]) - start[going, None]) * sign[going, None]
        length = torch.where((low[:, p] != low[:, q]) & ~length.isnan(), length, -torch.inf)
        longest, corner = length.max(1)
        ahead = (longest > -torch.inf) & (longest <= 1)
        face, corners, corner, longest, going = (each[ahead] for each in (face, corners, corner, longest, going))
        ends = torch.stack([(corner + 1) % 3, (corner + 2) % 3], dim=1)
        ends = torch.gather(corners, 1, ends)  # (k, 2) vertices
        beyond = torch.gather(neighbours[face], 1, corner[:, None])[:, 0]
        side = _side(screen, ends, _third(faces[beyond], ends)) * _side(
            screen, ends, corners.gather(1, corner[:, None])
        )
        open_edge, goes_on = beyond < 0, (beyond >= 0) & (side < 0)
        span = (screen[ends[:, 1]] - screen[ends[:, 0]]).abs()
        steep = span[:, 1 - axis] > span[:, axis]
        if axis == 0:
            steep |= span[:, 1] == span[:, 0]
        ends_here = ~goes_on & (open_edge | ~side.isnan()) & steep & (longest > -1e-3)
        edge[going[ends_here]] = ends[ends_here]
        face, going = beyond[goes_on], going[goes_on]
    return edge


def _third(corners: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """The corner (k, 1) of triangles (k, 3) that is not an end (k, 2) of the edge; an end where there is none."""
    other = (corners[:, :, None] != ends[:, None]).all(-1)
    return torch.where(other.any(1, keepdim=True), corners.gather(1, other.int().argmax(1, keepdim=True)), ends[:, :1])


def _side(screen: torch.Tensor, ends: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """On which side (k,) of the line through the ends (k, 2) a vertex (k, 1) lies, on the screen."""
    p, q, r = screen[ends[:, 0]], screen[ends[:, 1]], screen[point[:, 0]]
    return (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])
